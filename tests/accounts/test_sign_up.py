"""Signing up (STANDARDS B1 to B3)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import Account, PendingSignUp, Token
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
    recorded_statements,
    sign_in,
    sign_up,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.rows import count


def test_an_account_appears_when_its_address_was_confirmed(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    page = sign_up(browser, "Anna@EXAMPLE.org").follow()
    assert heading(page) == "Check your inbox"
    assert "Anna@example.org" in page.text
    assert "24 hours" in page.text
    assert count(database, Account) == 0

    email = mailbox.latest(kind="confirm_address")
    assert email.recipient == "Anna@example.org"
    page = browser.get(mailbox.link(email))
    assert count(database, Account) == 0

    page = page.forms[0].submit().follow()
    assert heading(page) == "Sign in"
    assert "Your email address is confirmed" in page.text
    assert page.forms[0]["email"].value == "Anna@example.org"
    assert mailbox.latest().kind == "welcome"
    assert mailbox.latest().key == "welcome:1"
    assert count(database, PendingSignUp) == 0
    assert sign_in(browser, "anna@example.org").status_int == 303


def test_confirming_signs_nobody_in(browser: TestApp, mailbox: Mailbox) -> None:
    sign_up(browser)
    browser.get(mailbox.link(mailbox.latest())).forms[0].submit()
    assert not is_signed_in(browser)


def test_the_confirmation_works_in_another_browser(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    sign_up(browser)
    page = another_browser(app).get(mailbox.link(mailbox.latest())).forms[0].submit()
    assert page.status_int == 303
    assert sign_in(browser).status_int == 303


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_scanning_the_link_changes_nothing(
    browser: TestApp, mailbox: Mailbox, database: Database, method: str
) -> None:
    sign_up(browser)
    link = mailbox.link(mailbox.latest())
    for _ in range(3):
        assert browser.request(link, method=method).status_int == 200
    assert count(database, Account) == 0
    assert browser.get(link).forms[0].submit().status_int == 303


def test_a_link_works_once(browser: TestApp, mailbox: Mailbox) -> None:
    sign_up(browser)
    link = mailbox.link(mailbox.latest())
    page = browser.get(link)
    page.forms[0].submit()
    page.forms[0].submit(status=410)
    page = browser.get(link, status=410)
    assert heading(page) == "This address is already confirmed"
    assert page.html.select_one("main a.button")["href"] == "/sign-in"


def test_a_button_pressed_twice_at_once_makes_one_account(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    sign_up(browser)
    link = mailbox.link(mailbox.latest())
    forms = [another_browser(app).get(link).forms[0] for _ in range(4)]
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 410, 410, 410]
    assert count(database, Account) == 1
    assert len(mailbox.all(kind="welcome")) == 1


def test_two_sign_ups_confirmed_at_once_make_one_account(
    app: Router, mailbox: Mailbox, database: Database
) -> None:
    forms = []
    for _ in range(3):
        somebody = another_browser(app)
        sign_up(somebody)
        forms.append(somebody.get(mailbox.link(mailbox.latest())).forms[0])
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 410, 410]
    assert count(database, Account) == 1
    assert len(mailbox.all(kind="welcome")) == 1


def test_an_old_link_leads_to_a_page_that_helps_on(
    browser: TestApp, mailbox: Mailbox, clock: Clock
) -> None:
    sign_up(browser)
    link = mailbox.link(mailbox.latest())
    clock.advance(timedelta(hours=24))
    page = browser.get(link, status=410)
    assert heading(page) == "This link has expired"
    page = page.forms[0].submit().follow()
    assert heading(page) == "Check your inbox"
    assert browser.get(mailbox.link(mailbox.latest())).forms[0].submit().status_int == 303


def test_a_link_is_good_until_its_last_minute(
    browser: TestApp, mailbox: Mailbox, clock: Clock
) -> None:
    sign_up(browser)
    clock.advance(timedelta(hours=23, minutes=59))
    assert browser.get(mailbox.link(mailbox.latest())).forms[0].submit().status_int == 303


def test_a_link_that_expires_while_its_page_is_open_creates_nothing(
    browser: TestApp, mailbox: Mailbox, clock: Clock, database: Database
) -> None:
    sign_up(browser)
    page = browser.get(mailbox.link(mailbox.latest()))
    clock.advance(timedelta(hours=25))
    assert heading(page.forms[0].submit(status=410)) == "This link has expired"
    assert count(database, Account) == 0


def test_an_unknown_link_is_not_found_and_leads_on(browser: TestApp) -> None:
    page = browser.get("/confirm/" + "x" * 43, status=404)
    assert heading(page) == "This link does not work"
    assert page.html.select_one("main a.button")["href"] == "/sign-up"


def test_sending_again_replaces_the_first_link(browser: TestApp, mailbox: Mailbox) -> None:
    page = sign_up(browser).follow()
    first = mailbox.link(mailbox.latest())
    page = page.forms[0].submit().follow()
    assert "We have sent you another email." in page.text
    second = mailbox.link(mailbox.latest())
    assert second != first
    assert heading(browser.get(first, status=410)) == "This link has been replaced"
    assert browser.get(second).forms[0].submit().status_int == 303


def test_an_email_that_is_held_back_replaces_no_link(browser: TestApp, mailbox: Mailbox) -> None:
    page = sign_up(browser).follow()
    while mailbox.latest().state == "captured":
        last_sent = mailbox.latest()
        page = page.forms[0].submit().follow()
        assert heading(page) == "Check your inbox"
    assert mailbox.latest().state == "throttled"
    assert browser.get(mailbox.link(last_sent)).forms[0].submit().status_int == 303


def test_the_address_can_be_corrected(browser: TestApp, mailbox: Mailbox) -> None:
    page = sign_up(browser, "anna@exmaple.org").follow()
    page = page.click("Correct it")
    assert page.forms[0]["email"].value == "anna@exmaple.org"
    page.forms[0]["email"] = ANNA
    page.forms[0]["password"] = PASSWORD
    assert ANNA in page.forms[0].submit().follow().text
    assert mailbox.latest().recipient == ANNA


def test_in_debug_mode_the_inbox_page_leads_to_the_development_mailbox(browser: TestApp) -> None:
    page = sign_up(browser).follow()
    assert page.click("development mailbox").status_int == 200


def test_without_a_sign_up_the_inbox_page_leads_to_the_form(browser: TestApp) -> None:
    assert browser.get("/sign-up/sent", status=303).location.endswith("/sign-up")


def test_a_taken_address_is_told_to_its_owner_alone(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    add_account(database, "Anna@example.org")
    page = sign_up(browser, "ANNA@example.org", ANOTHER_PASSWORD).follow()
    assert heading(page) == "Check your inbox"
    email = mailbox.latest()
    assert (email.kind, email.recipient) == ("account_exists", "Anna@example.org")
    assert "/confirm/" not in (email.html_body or "") + (email.text_body or "")
    page.forms[0].submit()
    assert [mail.kind for mail in mailbox.all()] == ["account_exists", "account_exists"]
    assert sign_in(browser).status_int == 303


def test_a_taken_and_a_free_address_run_the_same_statements(
    app: Router, browser: TestApp, database: Database
) -> None:
    add_account(database)
    pages, statements = [], []
    for address in (ANNA, "berta@example.org"):
        form = another_browser(app).get("/sign-up").forms[0]
        form["email"], form["password"] = address, PASSWORD
        with recorded_statements(database) as recorded:
            pages.append(form.submit())
        statements.append(recorded)
    assert statements[0] == statements[1]
    assert pages[0].status == pages[1].status
    assert pages[0].location == pages[1].location


def test_several_sign_ups_for_one_address_wait_side_by_side(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    sign_up(browser, password=PASSWORD)
    mine = mailbox.link(mailbox.latest())
    sign_up(another_browser(app), password=ANOTHER_PASSWORD)
    theirs = mailbox.link(mailbox.latest())

    assert browser.get(mine).forms[0].submit().status_int == 303
    page = browser.get(theirs).forms[0].submit(status=410)
    assert heading(page) == "This address is already confirmed"
    assert count(database, Account) == 1
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 422
    assert sign_in(browser, password=PASSWORD).status_int == 303


def test_a_wrong_form_says_what_to_do_and_keeps_the_address_only(
    browser: TestApp, mailbox: Mailbox
) -> None:
    page = sign_up(browser, "anna@", "short")
    assert page.status_int == 422
    assert page.html.title.get_text().startswith("Error: ")
    assert summary(page) == [
        "Enter an email address in the format name@example.com.",
        "Use at least 15 characters.",
    ]
    assert page.forms[0]["email"].value == "anna@"
    assert page.forms[0]["password"].value == ""
    assert mailbox.all() == []


def test_the_hint_states_the_rule_of_passwords_before_anybody_breaks_it(browser: TestApp) -> None:
    page = browser.get("/sign-up")
    assert page.html.find(id="password-hint").text.startswith("Use at least 15 characters.")


def test_each_error_is_tied_to_its_field(browser: TestApp) -> None:
    page = sign_up(browser, "", "")
    assert summary(page) == ["Enter your email address.", "Choose a password."]
    main = page.html.find("main")
    assert "error-summary" in main.find(True)["class"]
    for link in main.select(".error-summary a"):
        field = page.html.find(id=link["href"].removeprefix("#"))
        assert field["aria-invalid"] == "true"
        described = [page.html.find(id=name) for name in field["aria-describedby"].split()]
        assert any(link.get_text() in text.get_text() for text in described)
        assert page.html.find("label", attrs={"for": field["id"]})


def test_the_fields_tell_browsers_and_password_managers_what_they_are(browser: TestApp) -> None:
    html = browser.get("/sign-up").html
    email, password = html.find(id="email"), html.find(id="password")
    assert (email["type"], email["autocomplete"], email["spellcheck"]) == (
        "email",
        "email",
        "false",
    )
    assert (password["type"], password["autocomplete"]) == ("password", "new-password")
    assert not password.has_attr("maxlength")
    assert html.find("form").has_attr("novalidate")


def test_the_password_may_not_be_the_address(browser: TestApp) -> None:
    page = sign_up(browser, "annabel.smithson@example.org", "annabel.smithson")
    assert "does not contain your email address" in summary(page)[0]


def test_secrets_are_stored_as_digests_only(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    sign_up(browser)
    secret = mailbox.link(mailbox.latest()).rpartition("/")[2]
    with database.transaction(write=False) as session:
        token = session.scalars(select(Token)).one()
        pending = session.scalars(select(PendingSignUp)).one()
    assert len(token.digest) == 32
    assert secret.encode() not in token.digest
    assert pending.password_hash.startswith("$argon2id$")


def test_what_was_never_confirmed_is_forgotten_after_a_month(
    app: Router, browser: TestApp, database: Database, clock: Clock
) -> None:
    sign_up(browser)
    clock.advance(timedelta(days=32))
    sign_up(another_browser(app), "berta@example.org")
    assert count(database, PendingSignUp) == 1
    assert count(database, Token) == 1


def test_a_page_opened_by_a_customer_who_is_signed_in_leads_to_the_account(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    sign_in(browser)
    assert browser.get("/sign-up", status=303).location.endswith("/account")
    assert forgot_password(browser).status_int == 303
