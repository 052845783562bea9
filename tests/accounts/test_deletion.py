"""Deleting an account (STANDARDS B13)."""

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.models import Account, AccountEvent, SignInSession, Token
from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Order
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    is_signed_in,
    post,
    sign_in,
    sign_up,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.rows import count
from tests.support.shopping import buy, stock


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna is signed in."""
    anna = add_account(database)
    sign_in(browser)
    return anna


def delete(browser: TestApp, password: str = PASSWORD) -> TestResponse:
    return post(browser, "/account/delete", password=password)


def test_the_account_goes_and_the_address_is_free_again(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    phone = another_browser(app)
    sign_in(phone)
    forgot_password(another_browser(app))
    link = mailbox.link(mailbox.latest(kind="password_reset"))
    page = delete(browser).follow()
    assert "Your account has been deleted." in page.text
    assert not is_signed_in(browser)
    assert not is_signed_in(phone)
    browser.get(link, status=404)
    assert mailbox.latest(to=ANNA).kind == "account_deleted"
    for model in (Account, SignInSession, Token):
        assert count(database, model) == 0
    assert sign_in(browser).status_int == 422
    sign_up(browser)
    assert mailbox.latest(to=ANNA).kind == "confirm_address"


def test_a_wrong_password_deletes_nothing(browser: TestApp, mailbox: Mailbox) -> None:
    page = delete(browser, ANOTHER_PASSWORD)
    assert page.status_int == 422
    assert summary(page) == ["This password is not correct. Check it and try again."]
    assert mailbox.all() == []
    assert is_signed_in(browser)


def test_orders_and_events_stay_without_the_account(
    browser: TestApp, database: Database, anna: int
) -> None:
    stock(database)
    buy(browser)
    delete(browser)
    with database.transaction(write=False) as session:
        (order,) = session.scalars(select(Order))
        assert order.account_id is None
        assert order.buyer_email == ANNA
        events = session.scalars(select(AccountEvent)).all()
    assert [event.kind for event in events][-1] == "deletion"
    assert {event.account_id for event in events} == {None}


def test_of_four_deletions_at_once_one_wins(
    app: Router, mailbox: Mailbox, database: Database
) -> None:
    forms = []
    for _ in range(4):
        browser = another_browser(app)
        sign_in(browser)
        form = browser.get("/account/delete").form
        form["password"] = PASSWORD
        forms.append(form)
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    # The others are told the same, or to sign in, and none that its password is wrong.
    assert {page.status_int for page in pages} == {303}
    assert len(mailbox.all(kind="account_deleted")) == 1
    assert count(database, Account) == 0


def test_an_email_that_still_waits_with_a_link_is_cancelled(
    sending_app: Router, mailbox: Mailbox
) -> None:
    browser = another_browser(sending_app)
    sign_in(browser)
    forgot_password(another_browser(sending_app))
    post(browser, "/account/email", new_email="new@example.org")
    delete(browser)
    for kind in ("password_reset", "email_change"):
        mail = mailbox.latest(kind=kind)
        assert (mail.state, mail.html_body, mail.text_body) == ("cancelled", None, None)
    assert mailbox.latest(kind="account_deleted").state == "queued"


def test_the_browser_forgets_this_account_only(
    app: Router, browser: TestApp, database: Database
) -> None:
    add_account(database, "berta@example.org")
    browser.get("/account").forms[0].submit()
    sign_in(browser, "berta@example.org")
    browser.get("/account").forms[0].submit()
    sign_in(browser)
    delete(browser)
    stranger = another_browser(app)
    while sign_in(stranger, "berta@example.org", ANOTHER_PASSWORD).status_int != 429:
        pass
    assert sign_in(browser, "berta@example.org").status_int == 303


def test_the_page_says_what_stays(browser: TestApp) -> None:
    text = browser.get("/account/delete").html.find("main").get_text()
    assert "Your orders and receipts stay" in text
    assert "A record of our emails to you stays" in text
    assert "30 days" in text
