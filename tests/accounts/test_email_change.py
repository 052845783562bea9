"""Changing the address of an account (STANDARDS B2, B3, B9)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.models import Account, AccountEvent, PendingSignUp
from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    post,
    recorded_statements,
    sign_in,
    sign_up,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock

NEW = "anna.new@example.org"
TAKEN = "berta@example.org"


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna is signed in, and Berta has an account too."""
    anna = add_account(database)
    add_account(database, TAKEN)
    sign_in(browser)
    return anna


def ask(browser: TestApp, address: str = NEW) -> TestResponse:
    return post(browser, "/account/email", new_email=address)


def link_to(mailbox: Mailbox, address: str = NEW) -> str:
    return mailbox.link(mailbox.latest(to=address, kind="email_change"), "/account/email/")


def address_of(database: Database, account: int) -> str:
    with database.transaction(write=False) as session:
        return session.get_one(Account, account).address


def test_the_address_changes_once_the_new_one_is_confirmed(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    page = ask(browser, " Anna.New@EXAMPLE.org ").follow()
    assert heading(page) == "Check your inbox"
    assert "Anna.New@example.org" in page.text
    assert "1 hour" in page.text
    link = link_to(mailbox, "Anna.New@example.org")
    told = mailbox.latest(to=ANNA)
    assert (told.kind, told.subject) == ("email_changed", "Your email address is about to change")
    assert address_of(database, anna) == ANNA

    phone = another_browser(app)
    page = phone.get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert page.headers["Cache-Control"] == "no-store"
    assert address_of(database, anna) == ANNA
    page = page.forms[0].submit().follow()
    assert heading(page) == "Sign in"
    assert page.forms[0]["email"].value == "Anna.New@example.org"
    assert address_of(database, anna) == "Anna.New@example.org"
    told = mailbox.latest(to=ANNA)
    assert (told.kind, told.subject) == ("email_changed", "Your email address was changed")
    assert "help@example.org" in (told.text_body or "")
    assert sign_in(another_browser(app), ANNA).status_int == 422
    assert sign_in(another_browser(app), NEW).status_int == 303
    assert browser.get("/account").status_int == 200


def test_only_the_owner_learns_that_an_address_is_taken(
    browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    pages = []
    for address in (NEW, TAKEN):
        page = ask(browser, address).follow()
        pages.append(page.html.find("main").get_text().replace(address, ""))
        assert browser.get("/account/email/sent").status_int == 200
    assert pages[0] == pages[1]
    assert [mail.kind for mail in mailbox.all(to=TAKEN)] == ["account_exists"]
    assert [mail.kind for mail in mailbox.all(to=ANNA)] == ["email_changed", "email_changed"]


def test_a_free_and_a_taken_address_run_the_same_statements(
    browser: TestApp, database: Database
) -> None:
    form = browser.get("/account/email").forms[0]
    statements = []
    for address in (NEW, TAKEN):
        form["new_email"] = address
        with recorded_statements(database) as recorded:
            form.submit(status=303)
        statements.append(recorded)
    assert statements[0] == statements[1]


def test_the_present_address_and_an_unusable_one_are_refused(browser: TestApp) -> None:
    page = ask(browser, "ANNA@example.org")
    assert page.status_int == 422
    assert summary(page) == ["Your account has this address already. Enter another one."]
    assert summary(ask(browser, "anna")) == [
        "Enter an email address in the format name@example.com."
    ]


def test_a_second_request_replaces_the_first(
    browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    ask(browser)
    first = link_to(mailbox)
    ask(browser)
    again = link_to(mailbox)
    assert browser.get(first).status_int == 200
    ask(browser, "third@example.org")
    for dead in (first, again):
        page = browser.get(dead, status=410)
        assert heading(page) == "This link no longer works"
    browser.get(link_to(mailbox, "third@example.org")).forms[0].submit(status=303)
    assert address_of(database, anna) == "third@example.org"


def test_the_link_lives_for_an_hour_and_works_once(
    browser: TestApp, mailbox: Mailbox, clock: Clock
) -> None:
    ask(browser)
    link = link_to(mailbox)
    clock.advance(timedelta(minutes=59))
    form = browser.get(link).forms[0]
    assert heading(form.submit().follow()) == "Your account"
    page = browser.get(link, status=410)
    assert heading(page) == "Your address is already changed"
    assert page.html.select_one("main a.button")["href"] == "/account"
    assert heading(browser.get("/account/email/unknown", status=404)) == "This link does not work"
    clock.advance(timedelta(days=1))
    post(browser, "/account/confirm", password=PASSWORD)
    ask(browser, "third@example.org")
    link = link_to(mailbox, "third@example.org")
    clock.advance(timedelta(hours=1))
    assert heading(browser.get(link, status=410)) == "This link has expired"


def test_a_change_voids_reset_links_and_deletes_sign_ups_with_the_new_address(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    stranger = another_browser(app)
    sign_up(stranger, NEW)
    forgot_password(another_browser(app))
    reset = mailbox.link(mailbox.latest(kind="password_reset"))
    ask(browser)
    browser.get(link_to(mailbox)).forms[0].submit(status=303)
    assert browser.get(reset, status=410)
    with database.transaction(write=False) as session:
        assert session.scalars(select(PendingSignUp)).all() == []


def test_a_reset_stops_the_change(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    ask(browser)
    link = link_to(mailbox)
    owner = another_browser(app)
    forgot_password(owner)
    form = owner.get(mailbox.link(mailbox.latest(kind="password_reset"))).forms[0]
    form["password"] = ANOTHER_PASSWORD
    form.submit(status=303)
    assert owner.get(link, status=410)
    assert address_of(database, anna) == ANNA


def test_an_address_that_was_taken_meanwhile_changes_nothing(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    forgot_password(another_browser(app))
    reset = mailbox.link(mailbox.latest(kind="password_reset"))
    ask(browser)
    form = browser.get(link_to(mailbox)).forms[0]
    other = add_account(database, NEW)
    pages = [form.submit(status=410), browser.get(link_to(mailbox), status=410)]
    assert {heading(page) for page in pages} == {"This address has an account already"}
    assert address_of(database, anna) == ANNA
    assert mailbox.latest(to=ANNA).subject == "Your email address is about to change"
    assert browser.get(reset).status_int == 200
    with database.transaction(write=True) as session:
        session.delete(session.get_one(Account, other))
    assert form.submit(status=303)
    assert address_of(database, anna) == NEW


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_scanning_the_link_changes_nothing(
    browser: TestApp, mailbox: Mailbox, database: Database, anna: int, method: str
) -> None:
    ask(browser)
    for _ in range(3):
        assert browser.request(link_to(mailbox), method=method).status_int == 200
    assert address_of(database, anna) == ANNA
    assert browser.get(f"{link_to(mailbox)}).").forms[0].submit().status_int == 303
    assert address_of(database, anna) == NEW


def test_the_page_of_links_has_a_limit(browser: TestApp) -> None:
    for _ in range(60):
        browser.get("/account/email/unknown", status=404)
    assert browser.get("/account/email/unknown", status=429).headers["Retry-After"] == "60"


def test_an_account_asks_ten_times_an_hour_and_its_owner_learns_of_each(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    networks = [another_browser(app, REMOTE_ADDR=f"198.51.100.{n}") for n in range(10)]
    for number, each in enumerate(networks):
        sign_in(each)
        assert ask(each, f"anna{number}@example.org").status_int == 303
    assert ask(browser, "last@example.org").status_int == 429
    told = mailbox.all(to=ANNA, kind="email_changed")
    assert [email.state for email in told] == ["captured"] * 10
    assert mailbox.all(to="last@example.org") == []
    browser.get(link_to(mailbox, "anna9@example.org")).forms[0].submit(status=303)
    assert mailbox.latest(to=ANNA).state == "captured"
    assert mailbox.latest(to=ANNA).subject == "Your email address was changed"


def test_the_inbox_page_waits_for_slow_mail_and_shows_on_every_device_of_the_account(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, clock: Clock
) -> None:
    assert browser.get("/account/email/sent", status=303).location.endswith("/account/email")
    ask(browser)
    phone = another_browser(app)
    sign_in(phone)
    assert NEW in phone.get("/account/email").html.select_one("main .message").get_text()
    berta = another_browser(app)
    sign_in(berta, TAKEN)
    assert berta.get("/account/email/sent", status=303).location.endswith("/account/email")
    clock.advance(timedelta(minutes=20))
    for each in (browser, phone):
        each.get("/account/email/sent", status=200).forms[0].submit(status=303)
    assert len(mailbox.all(to=NEW, kind="email_change")) == 3
    phone.get(link_to(mailbox)).forms[0].submit(status=303)
    form = browser.get("/account/password").forms[0]
    answer = browser.post("/account/email/sent", {"csrf_token": form["csrf_token"].value})
    assert answer.location.endswith("/account/email")
    assert len(mailbox.all(to=NEW)) == 3


def test_nothing_more_goes_to_a_wrong_address(
    sending_app: Router, mailbox: Mailbox, database: Database
) -> None:
    browser = another_browser(sending_app)
    sign_in(browser)
    ask(browser, "wrong@example.org")
    ask(browser, TAKEN)
    mail = mailbox.latest(to="wrong@example.org")
    assert (mail.state, mail.html_body, mail.text_body) == ("cancelled", None, None)
    assert mail.reason == "its link no longer works"
    ask(browser, NEW)
    ask(browser, NEW)
    assert [mail.state for mail in mailbox.all(to=NEW)] == ["superseded", "queued"]
    assert mailbox.latest(to=TAKEN).state == "cancelled"


def test_an_address_is_confirmed_for_a_new_account_and_for_a_change_at_once(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    newcomer = another_browser(app)
    sign_up(newcomer, NEW)
    ask(browser)
    sign_up_link = mailbox.link(mailbox.latest(kind="confirm_address"))
    forms = [newcomer.get(sign_up_link).forms[0], browser.get(link_to(mailbox)).forms[0]]
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 410]
    with database.transaction(write=False) as session:
        assert list(session.scalars(select(Account.address_key))).count(NEW) == 1


def test_whoever_confirms_is_known_by_the_new_address_and_not_held_back(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    ask(browser)
    browser.get(link_to(mailbox)).forms[0].submit(status=303)
    stranger = another_browser(app)
    while sign_in(stranger, NEW, ANOTHER_PASSWORD).status_int != 429:
        pass
    browser.get("/account").forms[0].submit(status=303)
    assert sign_in(browser, NEW).status_int == 303


@pytest.mark.parametrize(
    "address",
    [
        "anna@example.org\r\nBcc: all@example.org",
        "=?utf-8?q?anna?=@example.org",
        "anna@example",
        "anna@exa mple.org",
        '"<script>"@example.org',
        "a" * 10_000 + "@example.org",
        "anna@example.org,berta@example.org",
        "\u2028",
    ],
)
def test_what_is_no_address_is_refused(browser: TestApp, mailbox: Mailbox, address: str) -> None:
    token = browser.get("/account/email").forms[0]["csrf_token"].value
    fields = {"new_email": address, "csrf_token": token}
    page = browser.post("/account/email", fields, status=422)
    assert summary(page) == ["Enter an email address in the format name@example.com."]
    assert mailbox.all() == []


def test_of_four_uses_of_a_link_at_once_one_wins(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    ask(browser)
    link = link_to(mailbox)
    forms = [another_browser(app).get(link).forms[0] for _ in range(4)]
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 410, 410, 410]
    assert address_of(database, anna) == NEW
    assert len(mailbox.all(to=ANNA, kind="email_changed")) == 2


def test_of_two_accounts_that_change_to_one_address_one_wins(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    berta = another_browser(app)
    sign_in(berta, TAKEN)
    forms = []
    for each in (browser, berta):
        ask(each)
        forms.append(another_browser(app).get(link_to(mailbox)).forms[0])
    pages = at_once(lambda form: form.submit(expect_errors=True), forms)
    assert sorted(page.status_int for page in pages) == [303, 410]
    with database.transaction(write=False) as session:
        assert list(session.scalars(select(Account.address))).count(NEW) == 1


def test_send_again_tells_the_old_address_only_once(browser: TestApp, mailbox: Mailbox) -> None:
    page = ask(browser).follow()
    page = page.forms[0].submit().follow()
    assert "We are sending another email" in page.text
    assert len(mailbox.all(to=NEW)) == 2
    assert len(mailbox.all(to=ANNA)) == 1


def test_the_events_say_what_happened(
    browser: TestApp, mailbox: Mailbox, database: Database, anna: int
) -> None:
    ask(browser)
    browser.get(link_to(mailbox)).forms[0].submit(status=303)
    with database.transaction(write=False) as session:
        kinds = session.scalars(
            select(AccountEvent.kind)
            .where(AccountEvent.account_id == anna)
            .order_by(AccountEvent.id)
        ).all()
    assert kinds == ["sign_in", "email_change_request", "email_change"]


def test_whoever_is_not_signed_in_cannot_ask(app: Router) -> None:
    stranger = another_browser(app)
    assert stranger.get("/account/email").location.startswith("http://localhost/sign-in?next=")
    assert PASSWORD not in stranger.get("/account/email").text
