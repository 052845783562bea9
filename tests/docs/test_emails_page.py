"""The steps of docs/emails.md work: its blocks of code make a package, and the package's email goes
out.
"""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from pyramid.config import Configurator
from pyramid.router import Router
from webtest import TestApp

from app.database import Base
from app.mail.testing import Mailbox

PAGE = Path(__file__).parents[2] / "docs" / "emails.md"


def blocks(language: str) -> list[str]:
    """The page's blocks of code in ``language``, in their order."""
    found = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [str(block) for block in found]


@pytest.fixture
def parcels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package made of the code in the five steps, and one import."""
    context, kind, include, view, *_ = blocks("python")
    package = tmp_path / "parcels"
    (package / "templates" / "email").mkdir(parents=True)
    (package / "templates" / "email" / "parcel_sent.jinja2").write_text(blocks("jinja")[0])
    source = "from pyramid.httpexceptions import HTTPSeeOther\n" + context + kind + include + view
    (package / "__init__.py").write_text(source)
    monkeypatch.syspath_prepend(str(tmp_path))
    import parcels

    yield parcels
    del sys.modules["parcels"]


@pytest.fixture
def app(parcels: ModuleType, settings_values: dict[str, str]) -> Iterator[Router]:
    """An application without accounts and shop: app.mail, the package and one view."""
    with Configurator(settings=settings_values) as config:
        config.include("app.mail")
        config.include("parcels")
        config.add_route("send", "/parcels/{number}/send")
        config.add_view(parcels.send_parcel, route_name="send", request_method="POST")
    Base.metadata.create_all(config.registry.database.engine)
    yield config.make_wsgi_app()
    config.registry.database.dispose()


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
    # The page's own test, on the page's own email.
    namespace: dict[str, object] = {}
    exec(blocks("python")[-1], namespace)  # noqa: S102 (it is our own page)
    test = namespace["test_a_parcel_is_announced"]
    assert callable(test)
    test(browser, mailbox)


def test_every_policy_of_a_kind_is_explained() -> None:
    page = PAGE.read_text("utf-8")
    for policy in (
        "time_to_live",
        "priority",
        "limit",
        "in_doubt",
        "carries_secret",
        "supersedes",
    ):
        assert f"| `{policy}` |" in page


def test_another_application_needs_neither_accounts_nor_shop() -> None:
    program = "import app.mail, sys; print([m for m in sys.modules if m.startswith('app.')])"
    names = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert "app.mail" in names
    for room in ("app.accounts", "app.shop", "app.web"):
        assert room not in names
