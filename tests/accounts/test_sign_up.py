"""Signing up (STANDARDS B1 to B3)."""

from datetime import timedelta

from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import Account, PendingSignUp, Token
from app.database.engine import Database
from app.mail.delivery.worker import Delivery
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    recorded_statements,
    sign_in,
    sign_up,
    summary,
)
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
    app: Router, browser: TestApp, database: Database, clock: Clock, delivery: Delivery
) -> None:
    sign_up(browser)
    clock.advance(timedelta(days=32))
    sign_up(another_browser(app), "berta@example.org")
    delivery._maintenance.expiry.run_due_tasks()
    assert count(database, PendingSignUp) == 1
    assert count(database, Token) == 1


def test_a_page_opened_by_a_customer_who_is_signed_in_leads_to_the_account(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    sign_in(browser)
    assert browser.get("/sign-up", status=303).location.endswith("/account")
    assert forgot_password(browser).status_int == 303
