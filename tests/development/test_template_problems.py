"""What a developer sees of a template that cannot be rendered: the variable, the file and the line,
wherever the email would have been.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app import configure
from app.mail.testing import Mailbox
from tests.support.accounts import ANNA, add_account, forgot_password, sign_up
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.shopping import buy, sign_in, stock

pytestmark = on_sqlite

TEMPLATES = Path(__file__).parents[2] / "templates" / "email"


class Folder:
    """A folder whose templates win over the shop's own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "email").mkdir()

    def replace(self, name: str, old: str, new: str) -> int:
        """Put a copy of the shop's template there, with one change. Returns the change's line."""
        content = (TEMPLATES / f"{name}.jinja2").read_text("utf-8")
        assert old in content
        file = self.path / "email" / f"{name}.jinja2"
        file.write_text(content.replace(old, new, 1), "utf-8")
        return content[: content.index(old)].count("\n") + 1

    def correct(self) -> None:
        for file in (self.path / "email").iterdir():
            file.unlink()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def configured(values: dict[str, str], clock: Clock, folder: Folder) -> Router:
    config = configure({}, values)
    config.registry.clock = clock
    config.add_email_templates(str(folder.path))
    return config.make_wsgi_app()


@pytest.fixture
def app(settings_values: dict[str, str], clock: Clock, folder: Folder) -> Iterator[Router]:
    """The application, with templates that a test may change."""
    app = configured(settings_values, clock, folder)
    yield app
    app.registry.database.dispose()


def places(page: TestResponse) -> list[str]:
    """The templates and lines that a page names, in its order."""
    said = [p.get_text() for p in page.html.main.select("p")]
    return [text.rpartition("/email/")[2] for text in said if ".jinja2, line " in text]


def lines(page: TestResponse) -> list[str]:
    return [line.get_text().strip() for line in page.html.select(".wrong")]


def test_a_wrong_value_is_found_where_the_kind_hands_it_to_a_macro(
    browser: TestApp, folder: Folder
) -> None:
    line = folder.replace("confirm_address", '"), link)', '"), lnik)')
    page = browser.get("/dev/emails/confirm_address", status=500)
    assert "'lnik' is undefined" in page.html.main.get_text()
    first, macro, *_ = found = places(page)
    assert first == f"confirm_address.jinja2, line {line}"
    assert macro.startswith("parts.jinja2, line ")
    assert len(lines(page)) == len(found)
    assert "lnik" in lines(page)[0]
    assert 'href="{{ url }}"' in lines(page)[1]


def test_a_mistake_in_the_layout_is_found_there(browser: TestApp, folder: Folder) -> None:
    line = folder.replace("layout", "site.support_email", "site.suport_email")
    page = browser.get("/dev/emails/confirm_address", status=500)
    assert places(page)[0] == f"layout.jinja2, line {line}"
    assert any(place.startswith("confirm_address.jinja2") for place in places(page))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("parts", "{{ label }}", "{{ label +/ 2 }}"),
        ("confirm_address", "{% endcall %}", ""),
        ("confirm_address", "| duration", "| duratoin"),
        ("confirm_address", "| duration", "| money('EUR')"),
        ("confirm_address", "email/layout.jinja2", "email/layuot.jinja2"),
        ("confirm_address", "parts.button", "parts.buton"),
        ("confirm_address", "Someone, probably you, signed up at %(site)s", "At %(stie)s"),
    ],
)
def test_every_other_mistake_is_found_in_its_file(
    browser: TestApp, folder: Folder, name: str, old: str, new: str
) -> None:
    folder.replace(name, old, new)
    page = browser.get("/dev/emails/confirm_address", status=500)
    assert places(page)[0].startswith(f"{name}.jinja2, line ")


def test_check_your_inbox_and_the_mailbox_name_variable_file_and_line(
    browser: TestApp, folder: Folder, mailbox: Mailbox
) -> None:
    line = folder.replace("confirm_address", '"), link)', '"), lnik)')
    page = sign_up(browser).follow()
    reason = (
        "could not be composed: UndefinedError: 'lnik' is undefined in"
        f" email/confirm_address.jinja2, line {line}"
    )
    assert reason in page.html.main.get_text()
    email = page.click("Show the template")
    assert reason in email.html.main.get_text()
    assert places(email)[0] == f"confirm_address.jinja2, line {line}"
    assert f"resend {mailbox.latest().id}" in email.text
    assert reason in browser.get("/dev/mailbox").html.select_one(".letter-words").get_text()

    folder.correct()
    corrected = browser.get(email.request.path)
    assert "The template of this email is corrected." in corrected.text
    assert places(corrected) == []
    browser.post("/sign-up/sent", {"csrf_token": page.forms[0]["csrf_token"].value})
    assert "could not be" not in browser.get("/sign-up/sent").html.main.get_text()


def test_forgot_password_and_an_order_say_it_too(
    browser: TestApp, app: Router, folder: Folder
) -> None:
    stock(app.registry.database)
    sign_in(browser, app.registry.database)
    folder.replace("purchase_receipt", "order_number", "oder_number")
    assert "'oder_number' is undefined" in buy(browser).html.main.get_text()
    folder.replace("password_reset", '"), link)', '"), lnik)')
    page = forgot_password(browser).follow()
    assert "'lnik' is undefined" in page.html.main.get_text()


def test_an_unknown_address_tells_a_developer_nothing_else(
    browser: TestApp, app: Router, folder: Folder
) -> None:
    add_account(app.registry.database, ANNA)
    folder.replace("password_reset", '"), link)', '"), lnik)')
    page = forgot_password(browser, "nobody@example.org").follow()
    assert "lnik" not in page.text


def test_without_debug_mode_no_page_names_a_template(
    settings_values: dict[str, str], clock: Clock, folder: Folder
) -> None:
    values = settings_values | {"email.debug": "false", "email.smtp_server": "127.0.0.1"}
    app = configured(values | {"email.smtp_security": "none"}, clock, folder)
    folder.replace("confirm_address", '"), link)', '"), lnik)')
    page = sign_up(TestApp(app)).follow()
    assert "Check your inbox" in page.text
    for word in ("lnik", "jinja2", "composed", "mailbox"):
        assert word not in page.text
    app.registry.database.dispose()
