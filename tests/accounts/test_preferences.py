"""Preferences: pages and emails follow the customer's language and email format."""

import re
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.models import Account
from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    post,
    sign_in,
    sign_up,
    summary,
)
from tests.support.browser import another_browser
from tests.support.shopping import buy, stock


def choose(browser: TestApp, **chosen: str) -> TestResponse:
    return post(browser, "/account/preferences", **chosen)


def stored(database: Database) -> tuple[str, str]:
    with database.transaction(write=False) as session:
        account = session.scalars(select(Account)).one()
        return account.locale, account.body_format


def german_browser(app: Router) -> TestApp:
    return another_browser(app, HTTP_ACCEPT_LANGUAGE="de-AT, de;q=0.9, en;q=0.1")


def link_of(email: OutboxEmail) -> str:
    """The path of the email's link with a token, from whichever body it has."""
    body = email.text_body or email.html_body or ""
    match = re.search(r"http://localhost(/(?:confirm|reset-password)/[\w-]+)", body)
    assert match, "the email has no link with a token"
    return match[1]


def test_the_form_shows_what_holds_now(browser: TestApp, database: Database) -> None:
    add_account(database, locale="de", body_format="text")
    sign_in(browser)
    page = browser.get("/account").click(href="/account/preferences")
    assert heading(page) == "Ihre Einstellungen"
    form = page.forms[0]
    assert (form["language"].value, form["body_format"].value) == ("de", "text")


def test_what_is_chosen_is_kept_and_told_in_the_language_that_was_chosen(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    sign_in(browser)
    page = choose(browser, language="de", body_format="html").follow(status=200)
    assert stored(database) == ("de", "html")
    assert page.html.html["lang"] == "de"
    assert page.html.find(class_="message").get_text() == "Ihre Einstellungen wurden gespeichert."


@pytest.mark.parametrize(
    ("field", "value"),
    [("language", "tlh"), ("language", ""), ("body_format", "pdf"), ("body_format", None)],
)
def test_what_is_not_among_the_choices_is_refused(
    browser: TestApp, database: Database, field: str, value: str | None
) -> None:
    add_account(database)
    sign_in(browser)
    token = browser.get("/account/preferences").forms[0]["csrf_token"].value
    fields: dict[str, Any] = {"language": "de", "body_format": "text", "csrf_token": token}
    fields[field] = value
    sent = {name: value for name, value in fields.items() if value is not None}
    page = browser.post("/account/preferences", sent, status=422)
    assert stored(database) == ("en", "both")
    assert page.html.title.get_text().startswith("Error: ")
    [problem] = page.html.select(".error-summary a")
    assert problem["href"] == f"#{field}"
    assert page.html.find(id=field)["type"] == "radio"
    assert page.html.find(id=f"{field}-error")
    assert summary(page) in (["Choose a language."], ["Choose an email format."])


def test_only_who_is_signed_in_has_preferences(browser: TestApp) -> None:
    location = browser.get("/account/preferences", status=303).location
    assert location == "http://localhost/sign-in?next=%2Faccount%2Fpreferences"


def test_each_language_is_named_in_itself(browser: TestApp, database: Database) -> None:
    add_account(database)
    sign_in(browser)
    labels = browser.get("/account/preferences").html.select("label[lang]")
    assert [(label["lang"], label.get_text()) for label in labels] == [
        ("en", "English"),
        ("de", "Deutsch"),
    ]


@pytest.mark.parametrize(
    ("body_format", "has_html", "has_text"),
    [("both", True, True), ("html", True, False), ("text", False, True)],
)
def test_every_email_keeps_to_the_preferences_whoever_asks_for_it(
    app: Router,
    browser: TestApp,
    database: Database,
    mailbox: Mailbox,
    body_format: str,
    has_html: bool,
    has_text: bool,
) -> None:
    stock(database)
    add_account(database)
    sign_in(browser)
    choose(browser, language="de", body_format=body_format)
    buy(browser)
    # Another visitor, who reads English.
    stranger = another_browser(app)
    sign_up(stranger)
    forgot_password(stranger)
    reset = mailbox.latest(kind="password_reset")
    post(stranger, link_of(reset), password=ANOTHER_PASSWORD)
    emails = mailbox.all(to=ANNA)
    assert {email.kind for email in emails} == {
        "purchase_receipt",
        "account_exists",
        "password_reset",
        "password_changed",
    }
    for email in emails:
        assert email.locale == "de"
        assert (email.html_body is not None, email.text_body is not None) == (has_html, has_text)
        assert " Sie " in (email.html_body or email.text_body or "")


def test_an_order_keeps_the_preferences_it_was_placed_with(
    browser: TestApp, database: Database, mailbox: Mailbox
) -> None:
    stock(database)
    add_account(database, locale="de", body_format="text")
    sign_in(browser)
    browser.get("/products/envelopes").forms[0].submit()
    checkout = browser.get("/checkout").forms[0]
    checkout["name"], checkout["address"] = "Anna", "Storgatan 1"
    payment_page = checkout.submit().follow()
    choose(browser, language="en", body_format="both")
    payment_page.forms[0].submit().follow()
    receipt = mailbox.latest(kind="purchase_receipt")
    assert (receipt.locale, receipt.html_body) == ("de", None)


def test_a_sign_up_keeps_the_language_of_its_page(
    app: Router, database: Database, mailbox: Mailbox
) -> None:
    browser = german_browser(app)
    sign_up(browser)
    confirm = mailbox.latest(kind="confirm_address")
    assert confirm.locale == "de"
    # The link is followed elsewhere, in an English browser.
    post(another_browser(app), link_of(confirm), password=PASSWORD)
    assert stored(database) == ("de", "both")
    assert mailbox.latest(kind="welcome").locale == "de"
