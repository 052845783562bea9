"""The steps of docs/emails.md work: its blocks of code make a package, and the package's email goes
out.
"""

import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from pathlib import Path
from types import ModuleType

import pytest
from pyramid.config import Configurator
from pyramid.router import Router
from webtest import TestApp

from app import configure
from app.database.base import Base
from app.mail import BodyFormat, Kind
from app.mail.testing import Mailbox
from app.previews.preview import compose_preview, findings_of, previews_of

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "emails.md").read_text("utf-8")
NOT_POLICIES = {"name", "context", "samples"}
"""The other fields of a kind."""


def blocks(language: str, path: str = "") -> str:
    """The page's code in ``language``; for Python, what belongs into the file ``path``."""
    head = f"# {path}\n" if path else ""
    found = re.findall(rf"```{language}\n{head}(.*?)```", PAGE, re.DOTALL)
    return "\n\n".join(found)


@pytest.fixture
def parcels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The package that the five steps make, beside ``app`` instead of in it."""
    package = tmp_path / "parcels"
    package.mkdir()
    for name in ("__init__.py", "emails.py", "views.py"):
        code = blocks("python", f"app/parcels/{name}")
        (package / name).write_text(code.replace("app.parcels", "parcels"))
    template = tmp_path / "templates" / "email" / "parcel_sent.jinja2"
    template.parent.mkdir(parents=True)
    template.write_text(blocks("jinja"))
    monkeypatch.syspath_prepend(str(tmp_path))
    import parcels

    yield parcels
    for name in [name for name in sys.modules if name.partition(".")[0] == "parcels"]:
        del sys.modules[name]


def finished(config: Configurator, templates: Path) -> Router:
    """The application with the package."""
    config.include("parcels")
    config.add_email_templates(str(templates))
    return config.make_wsgi_app()


@pytest.fixture
def app(parcels: ModuleType, tmp_path: Path, settings_values: dict[str, str]) -> Iterator[Router]:
    """An application without accounts and shop: app.mail and the package."""
    config = Configurator(settings=settings_values)
    config.include("app.mail")
    app = finished(config, tmp_path / "templates")
    Base.metadata.create_all(app.registry.database.engine)
    yield app
    app.registry.database.dispose()


@pytest.fixture
def shop(parcels: ModuleType, tmp_path: Path, settings_values: dict[str, str]) -> Iterator[Router]:
    """The shop with the package."""
    shop = finished(configure({}, settings_values), tmp_path / "templates")
    yield shop
    shop.registry.database.dispose()


def test_the_five_steps_make_an_email_that_goes_out_with_its_request(
    app: Router, mailbox: Mailbox
) -> None:
    browser = TestApp(app)
    browser.post("/parcels/A1/send", status=303)
    browser.post("/parcels/A1/send", status=303)
    [email] = mailbox.all()
    assert (email.kind, email.state, email.recipient) == (
        "parcel_sent",
        "captured",
        "ada@example.org",
    )
    assert "<h1" in (email.html_body or "")


def test_the_pages_own_test_passes_in_the_shop(shop: Router) -> None:
    namespace: dict[str, Callable[..., None]] = {}
    exec(blocks("python", "tests/parcels/test_parcel_sent.py"), namespace)  # noqa: S102 (our own page)
    browser = TestApp(shop, extra_environ={"HTTP_HOST": "localhost"})
    namespace["test_a_parcel_is_announced"](browser, Mailbox(shop.registry.database))


def test_the_lint_finds_nothing_once_the_german_texts_are_filled_in(
    shop: Router, tmp_path: Path
) -> None:
    catalogue = tmp_path / "locale" / "de" / "LC_MESSAGES" / "parcels.po"
    catalogue.parent.mkdir(parents=True)
    head = 'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    catalogue.write_text(head + textwrap.dedent(blocks("po")), "utf-8")
    shop.registry.languages.add(tmp_path / "locale")
    previews = [
        replace(preview, body_format=body_format)
        for preview in previews_of(shop.registry, shop.registry.email_kinds.get("parcel_sent"))
        for body_format in BodyFormat
    ]
    assert {preview.language for preview in previews} == {"en", "de"}
    for preview in previews:
        email = compose_preview(shop.registry, preview)
        assert findings_of(shop.registry, preview, email) == [], preview.name


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The project with the page's files where the page puts them."""
    clone = tmp_path / "clone"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "app", clone / "app", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", clone)
    files = re.findall(r"```python\n# ([\w/.]+\.py)\n", PAGE)
    for path in dict.fromkeys(files):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(blocks("python", path))
    return clone


@pytest.mark.parametrize(
    "check",
    [
        ("ruff", "format", "--check", "--diff", "app/parcels", "tests"),
        ("ruff", "check", "app/parcels", "tests"),
        ("mypy", "app/parcels"),
    ],
    ids=" ".join,
)
def test_the_pages_code_passes_the_projects_checks(clone: Path, check: tuple[str, ...]) -> None:
    command = [sys.executable, "-m", *check]
    run = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_policy_of_a_kind_is_explained() -> None:
    for field in fields(Kind):
        assert field.name in NOT_POLICIES or f"| `{field.name}` |" in PAGE


def test_another_application_needs_neither_accounts_nor_shop() -> None:
    program = "import app.mail, sys; print([m for m in sys.modules if m.startswith('app.')])"
    names = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "app.mail" in names
    for room in ("app.accounts", "app.shop", "app.web"):
        assert room not in names
