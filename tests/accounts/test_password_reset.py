"""Resetting a forgotten password (STANDARDS B2 to B4)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.email_kinds import FOR_A_NETWORK
from app.accounts.models import Token
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
    recorded_statements,
    sign_in,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock


@pytest.fixture(autouse=True)
def anna(database: Database) -> int:
    """Anna has an account."""
    return add_account(database)


def set_password(browser: TestApp, link: str, password: str = ANOTHER_PASSWORD) -> TestResponse:
    form = browser.get(link).forms[0]
    form["password"] = password
    return form.submit(expect_errors=True)


def test_a_forgotten_password_is_replaced(browser: TestApp, mailbox: Mailbox) -> None:
    page = forgot_password(browser, "ANNA@example.org").follow()
    assert heading(page) == "Check your inbox"
    assert "30 minutes" in page.text
    email = mailbox.latest()
    assert (email.kind, email.recipient, email.key) == ("password_reset", ANNA, "password_reset:1")

    page = set_password(browser, mailbox.link(email)).follow()
    assert heading(page) == "Sign in"
    assert "Your password has been changed" in page.text
    assert not is_signed_in(browser)
    email = mailbox.latest()
    assert (email.kind, email.recipient, email.key) == (
        "password_changed",
        ANNA,
        "password_changed:1",
    )
    assert sign_in(browser, password=PASSWORD).status_int == 422
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 303


def test_an_unknown_address_gets_the_same_answer_and_no_email(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    known = forgot_password(browser).follow()
    mails = len(mailbox.all())
    unknown = forgot_password(another_browser(app), "berta@example.org").follow()
    assert len(mailbox.all()) == mails
    texts = [page.html.find("main").get_text() for page in (known, unknown)]
    assert texts[0].replace(ANNA, "berta@example.org") == texts[1]
    assert unknown.forms[0].submit().follow().status_int == 200
    assert len(mailbox.all()) == mails


def test_a_known_and_an_unknown_address_run_the_same_statements(
    browser: TestApp, database: Database
) -> None:
    form = browser.get("/forgot-password").forms[0]
    statements = []
    for address in (ANNA, "berta@example.org"):
        form["email"] = address
        with recorded_statements(database) as recorded:
            form.submit(status=303)
        statements.append(recorded)
    # What the request did for an unknown address is rolled back.
    kept, undone = "RELEASE SAVEPOINT sa_savepoint_1", "ROLLBACK TO SAVEPOINT"
    assert [kept if text == undone else text for text in statements[1]] == statements[0]


def test_an_email_that_is_held_back_runs_the_same_statements_as_one_for_an_unknown_address(
    browser: TestApp, database: Database, mailbox: Mailbox
) -> None:
    while not mailbox.all() or mailbox.latest().state != "throttled":
        forgot_password(browser)
    form = browser.get("/forgot-password").forms[0]
    statements = []
    for address in (ANNA, "berta@example.org"):
        form["email"] = address
        with recorded_statements(database) as recorded:
            form.submit(status=303)
        statements.append(recorded)
    assert mailbox.latest().state == "throttled"
    kept, undone = "RELEASE SAVEPOINT sa_savepoint_1", "ROLLBACK TO SAVEPOINT"
    assert [kept if text == undone else text for text in statements[1]] == statements[0]


def test_nothing_is_kept_of_an_unknown_address(browser: TestApp, database: Database) -> None:
    forgot_password(browser, "berta@example.org")
    with database.transaction(write=False) as session:
        token = session.scalars(select(Token)).one()
    assert token.account_id is None
    assert token.expires_at == token.created_at


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_scanning_the_link_changes_nothing(browser: TestApp, mailbox: Mailbox, method: str) -> None:
    forgot_password(browser)
    link = mailbox.link(mailbox.latest())
    for _ in range(3):
        assert browser.request(link, method=method).status_int == 200
    assert set_password(browser, link).status_int == 303


def test_every_session_ends(app: Router, browser: TestApp, mailbox: Mailbox) -> None:
    phone = another_browser(app)
    sign_in(browser)
    sign_in(phone)
    forgot_password(browser)
    set_password(browser, mailbox.link(mailbox.latest()))
    assert not is_signed_in(browser)
    assert not is_signed_in(phone)


def test_a_link_works_once(browser: TestApp, mailbox: Mailbox) -> None:
    forgot_password(browser)
    link = mailbox.link(mailbox.latest())
    open_page = browser.get(link)
    set_password(browser, link)
    open_page.forms[0]["password"] = "yet another passphrase"
    page = open_page.forms[0].submit(status=410)
    assert heading(page) == "This link has already been used"
    assert page.html.select_one("main a.button")["href"] == "/forgot-password"
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 303


def test_a_link_lives_thirty_minutes(browser: TestApp, mailbox: Mailbox, clock: Clock) -> None:
    forgot_password(browser)
    link = mailbox.link(mailbox.latest())
    clock.advance(timedelta(minutes=29))
    page = browser.get(link)
    clock.advance(timedelta(minutes=1))
    assert heading(browser.get(link, status=410)) == "This link has expired"
    page.forms[0]["password"] = ANOTHER_PASSWORD
    assert heading(page.forms[0].submit(status=410)) == "This link has expired"
    assert sign_in(browser).status_int == 303


@pytest.mark.parametrize("opened_first", range(3))
def test_whichever_link_is_opened_first_works_and_voids_the_others(
    browser: TestApp, mailbox: Mailbox, opened_first: int
) -> None:
    page = forgot_password(browser).follow()
    for _ in range(2):
        page = page.forms[0].submit().follow()
    links = [mailbox.link(email) for email in mailbox.all()]
    assert set_password(browser, links.pop(opened_first)).status_int == 303
    assert len(links) == 2
    for link in links:
        page = browser.get(link, status=410)
        assert heading(page) == "This link no longer works"
        assert "Your password was changed after we sent this link." in page.text
        assert page.html.select_one("main a.button")["href"] == "/forgot-password"
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 303


def test_of_two_links_that_are_used_at_once_one_works(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    page = forgot_password(browser).follow()
    for _ in range(2):
        page = page.forms[0].submit().follow()
    forms = []
    for number, email in enumerate(mailbox.all()):
        form = another_browser(app).get(mailbox.link(email)).forms[0]
        form["password"] = f"passphrase of umbrella {number}"
        forms.append(form)
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 410, 410]
    assert len(mailbox.all(kind="password_changed")) == 1


def test_a_stranger_who_asks_too_often_uses_up_none_of_the_owners_emails(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    stranger = another_browser(app)
    forgot_password(stranger)
    while mailbox.latest().state == "captured":
        forgot_password(stranger)
    assert mailbox.latest().state == "throttled"
    forgot_password(browser)
    assert mailbox.latest().state == "captured"
    assert set_password(browser, mailbox.link(mailbox.latest())).status_int == 303


def test_many_browsers_of_a_stranger_leave_the_owner_a_link_that_works(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    for _ in range(FOR_A_NETWORK + 1):
        forgot_password(another_browser(app))
    *_others, last_sent, held_back = mailbox.all()
    assert held_back.state == "throttled"
    assert set_password(browser, mailbox.link(last_sent)).status_int == 303


def test_a_token_of_one_kind_opens_nothing_of_another(browser: TestApp, mailbox: Mailbox) -> None:
    forgot_password(browser)
    secret = mailbox.link(mailbox.latest()).rpartition("/")[2]
    browser.get(f"/confirm/{secret}", status=404)


def test_a_weak_password_is_refused_and_the_link_stays_good(
    browser: TestApp, mailbox: Mailbox
) -> None:
    forgot_password(browser)
    link = mailbox.link(mailbox.latest())
    page = set_password(browser, link, "anna@example.org")
    assert page.status_int == 422
    assert "does not contain your email address" in summary(page)[0]
    page.forms[0]["password"] = ANOTHER_PASSWORD
    assert page.forms[0].submit().status_int == 303


def test_the_pages_of_a_link_tell_nobody_its_address(browser: TestApp, mailbox: Mailbox) -> None:
    forgot_password(browser)
    page = browser.get(mailbox.link(mailbox.latest()))
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    page = browser.get("/reset-password/unknown", status=404)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"


def test_links_in_emails_ignore_the_host_header(app: Router, mailbox: Mailbox) -> None:
    forgot_password(TestApp(app, extra_environ={"HTTP_HOST": "localhost:8080"}))
    email = mailbox.latest()
    assert "8080" not in (email.html_body or "") + (email.text_body or "")
    assert "http://localhost/reset-password/" in (email.text_body or "")


def test_an_invalid_address_is_answered_with_an_error(browser: TestApp) -> None:
    page = forgot_password(browser, "anna")
    assert page.status_int == 422
    assert summary(page) == ["Enter an email address in the format name@example.com."]


def test_without_having_asked_the_inbox_page_leads_to_the_form(browser: TestApp) -> None:
    assert browser.get("/forgot-password/sent", status=303).location.endswith("/forgot-password")


def test_emails_that_still_wait_with_a_link_that_a_reset_ended_are_cancelled(
    sending_app: Router, mailbox: Mailbox
) -> None:
    intruder, owner = another_browser(sending_app), another_browser(sending_app)
    sign_in(intruder)
    post(intruder, "/account/email", new_email="intruder@example.org")
    assert mailbox.latest(to="intruder@example.org").state == "queued"
    forgot_password(owner)
    set_password(owner, mailbox.link(mailbox.latest(kind="password_reset")))
    waiting = mailbox.latest(to="intruder@example.org")
    assert (waiting.state, waiting.text_body) == ("cancelled", None)
    assert waiting.reason == "its link no longer works"
    assert mailbox.latest(kind="password_changed").state == "queued"
