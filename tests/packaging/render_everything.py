"""Run by test_wheel.py with the Python of a fresh environment, in an empty folder.

Loads every page's template, renders every sample of every email in every language, and asks for the
first page. Prints counts, so that the test can check that they are not 0.
"""

import sys
from itertools import product
from pathlib import Path

from pyramid_jinja2 import IJinja2Environment
from webtest import TestApp

import app
from app.mail import Recipient
from app.migrations import migrate
from app.templates_folder import templates_folder

environment = Path(sys.prefix).resolve()
folder = templates_folder()
for place in (Path(app.__file__), folder):
    assert environment in place.resolve().parents, f"{place} is not the installed one"

application = app.main(
    {"here": str(Path.cwd())},
    **{
        "environment": "development",
        "site.name": "Pillarbox",
        "site.base_url": "http://localhost",
        "site.support_email": "help@example.org",
        "secret": "a secret of this test",
        "email.debug": "true",
        "email.from": "Pillarbox <shop@example.org>",
    },
)
registry = application.registry

templates = {str(path.relative_to(folder)) for path in folder.rglob("*.jinja2")}
emails = {name for name in templates if name.startswith("email/")}
pages = registry.getUtility(IJinja2Environment, name=".jinja2")
for name in templates - emails:
    pages.get_template(name)

subjects = []
for kind in registry.email_kinds:
    for sample, language in product(kind.samples.values(), registry.languages.names):
        recipient = Recipient("anna@example.org", "Anna", language)
        message = registry.email_composer.compose(kind, sample, to=recipient, about="test:1")
        assert message.problem is None, f"{kind.name}: {message.problem}"
        subjects.append(message.subject)
assert "Ihr Konto ist bereit" in subjects
shared = {"email/layout.jinja2", "email/parts.jinja2"}
assert emails - shared == {f"email/{kind.name}.jinja2" for kind in registry.email_kinds}

migrate(registry.database.engine)
browser = TestApp(application)
front_page = browser.get("/")
stylesheets = front_page.html.select("link[rel=stylesheet]")
for link in stylesheets:
    browser.get(str(link["href"]))
registry.database.dispose()

print(f"{len(templates)} templates, {len(subjects)} emails, {len(stylesheets)} stylesheet")  # noqa: T201
