"""The links in emails survive what mail programs do to them."""

import pytest
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANOTHER_PASSWORD,
    add_account,
    forgot_password,
    heading,
    sign_in,
    sign_up,
)

GLUED = [
    ".",
    ">",
    "%3E",
    ")",
    "%29",
    ",",
    "%20",
    "%20%20",
    ">.",
    ").",
    ";",
    ":",
    "!",
    "'",
    "%22",
    "]",
    "*",
    "_",
    "-",
    "=",
    "&gt;",
    "%3Cbr%3E",
    "%0D%0A",
    "%C2%A0",
    "%E2%80%9D",
    "/",
    "./",
]


@pytest.mark.parametrize("glued", GLUED)
def test_a_confirmation_works_with_what_is_glued_to_its_link(
    browser: TestApp, mailbox: Mailbox, glued: str
) -> None:
    sign_up(browser)
    page = browser.get(mailbox.link(mailbox.latest()) + glued)
    assert page.forms[0].submit().status_int == 303
    assert sign_in(browser).status_int == 303


@pytest.mark.parametrize("glued", GLUED)
def test_a_reset_works_with_what_is_glued_to_its_link(
    browser: TestApp, mailbox: Mailbox, database: Database, glued: str
) -> None:
    add_account(database)
    forgot_password(browser)
    page = browser.get(mailbox.link(mailbox.latest()) + glued)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    page.forms[0]["password"] = ANOTHER_PASSWORD
    assert page.forms[0].submit().status_int == 303
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 303


def test_a_link_that_lacks_its_end_does_not_work(browser: TestApp, mailbox: Mailbox) -> None:
    sign_up(browser)
    page = browser.get(mailbox.link(mailbox.latest())[:-1], status=404)
    assert heading(page) == "This link does not work"
