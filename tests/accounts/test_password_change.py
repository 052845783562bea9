"""Changing the password of a signed-in account (STANDARDS B4, B5)."""

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    is_signed_in,
    post,
    sign_in,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser

SESSION = "pillarbox-session"


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna is signed in."""
    anna = add_account(database)
    sign_in(browser)
    return anna


def change(
    browser: TestApp, current: str = PASSWORD, password: str = ANOTHER_PASSWORD
) -> TestResponse:
    return post(browser, "/account/password", current_password=current, password=password)


def test_the_password_changes_and_every_other_session_ends(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    phone = another_browser(app)
    sign_in(phone)
    before = browser.cookies[SESSION]
    page = change(browser).follow()
    assert heading(page) == "Your account"
    assert "Your password has been changed" in page.text
    assert browser.cookies[SESSION] != before
    assert not is_signed_in(phone)
    assert mailbox.latest(to=ANNA).kind == "password_changed"
    assert sign_in(another_browser(app), password=PASSWORD).status_int == 422
    assert sign_in(another_browser(app), password=ANOTHER_PASSWORD).status_int == 303


def test_a_wrong_current_password_changes_nothing(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    page = change(browser, current="a wrong password entirely")
    assert page.status_int == 422
    assert summary(page) == ["This password is not correct. Check it and try again."]
    assert mailbox.all() == []
    assert sign_in(another_browser(app)).status_int == 303


def test_a_weak_password_is_refused(browser: TestApp) -> None:
    assert summary(change(browser, password="short")) == ["Use at least 15 characters."]
    assert summary(change(browser, password=ANNA)) == [
        "Choose a password that does not contain your email address or the name of this shop."
    ]


def test_links_sent_before_die(app: Router, browser: TestApp, mailbox: Mailbox) -> None:
    forgot_password(another_browser(app))
    link = mailbox.link(mailbox.latest(kind="password_reset"))
    change(browser)
    browser.get(link, status=410)


def test_of_four_changes_at_once_one_wins(app: Router, mailbox: Mailbox) -> None:
    browsers = [another_browser(app) for _ in range(4)]
    forms = []
    for number, each in enumerate(browsers):
        sign_in(each)
        form = each.get("/account/password").form
        form["current_password"], form["password"] = PASSWORD, f"{ANOTHER_PASSWORD} {number}"
        forms.append(form)
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    # The others hear that the password is not right any more, or have been signed out.
    where = [page.headers.get("Location", "").partition("?")[0] for page in pages]
    assert where.count("http://localhost/account") == 1
    assert {page.status_int for page in pages} <= {303, 422}
    assert len(mailbox.all(kind="password_changed")) == 1


def test_the_email_says_what_is_true_of_a_change_and_of_a_reset(
    browser: TestApp, mailbox: Mailbox
) -> None:
    change(browser)
    text = " ".join((mailbox.latest(to=ANNA).text_body or "").split())
    assert "You have been signed out on all other devices." in text
    assert "If this was not you" in text
    assert is_signed_in(browser)


def test_each_change_is_told(browser: TestApp, mailbox: Mailbox) -> None:
    change(browser)
    change(browser, current=ANOTHER_PASSWORD, password=PASSWORD)
    assert len(mailbox.all(kind="password_changed")) == 2


def test_an_email_that_still_waits_with_a_link_is_cancelled(
    sending_app: Router, mailbox: Mailbox
) -> None:
    browser = another_browser(sending_app)
    sign_in(browser)
    forgot_password(another_browser(sending_app))
    change(browser)
    assert mailbox.latest(kind="password_reset").state == "cancelled"
    assert mailbox.latest(kind="password_changed").state == "queued"


def test_a_password_of_a_million_characters_is_refused_at_once(browser: TestApp) -> None:
    form = browser.get("/account/password").form
    form["current_password"], form["password"] = PASSWORD, "a" * 900_000
    assert "at most" in summary(form.submit(status=422))[0]
    form["current_password"], form["password"] = "a" * 900_000, ANOTHER_PASSWORD
    assert form.submit(status=422)
