"""Links to which a mail program glued a character."""

import pytest
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import add_account, sign_in
from tests.support.databases import on_sqlite
from tests.support.shopping import buy, stock

# Nothing here depends on the database.
pytestmark = on_sqlite


@pytest.mark.parametrize("glued", [".", ">", ")", ",", "%20", "%3E.", "%22", "/", "%C2%A0"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/sign-in", "/forgot-password", "/products/envelopes"])
def test_a_page_is_found_with_what_is_glued_to_its_link(
    browser: TestApp, database: Database, path: str, method: str, glued: str
) -> None:
    stock(database)
    response = browser.request(path + glued, method=method, status=303)
    assert response.location == f"http://localhost{path}"


def test_the_order_of_a_receipt_is_found_after_the_sign_in(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    stock(database)
    add_account(database)
    sign_in(browser)
    buy(browser)
    link = mailbox.link(mailbox.latest(kind="purchase_receipt"), "/orders/")
    assert browser.get(link + ".").location == f"http://localhost{link}"


@pytest.mark.parametrize("path", ["/no-such-page.", "//evil.example/.", "/."])
def test_what_is_not_there_without_it_is_not_found(browser: TestApp, path: str) -> None:
    browser.get(path, status=404)


def test_a_form_is_never_sent_elsewhere(browser: TestApp) -> None:
    token = browser.get("/sign-in").forms[0]["csrf_token"].value
    browser.post("/sign-in.", {"csrf_token": token}, status=404)
