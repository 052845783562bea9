"""Confirming an address: who may, with which password, and which links work (STANDARDS B1, B2)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.email_kinds import FOR_A_NETWORK
from app.accounts.models import Account, PendingSignUp
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
    sign_in,
    sign_up,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.rows import count


def enter(page: TestResponse, password: str) -> TestResponse:
    page.forms[0]["password"] = password
    return page.forms[0].submit(expect_errors=True)


def test_confirming_signs_nobody_in(browser: TestApp, mailbox: Mailbox) -> None:
    sign_up(browser)
    browser.get(mailbox.link(mailbox.latest())).forms[0].submit()
    assert not is_signed_in(browser)


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
    pages = [another_browser(app).get(link) for _ in range(4)]
    pages = at_once(lambda page: enter(page, PASSWORD), pages)
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


def test_another_browser_confirms_with_the_password_of_the_sign_up(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    sign_up(browser)
    page = another_browser(app).get(mailbox.link(mailbox.latest()))
    assert ANNA in page.html.find(class_="lead").get_text()
    assert page.html.find(id="password")["autocomplete"] == "current-password"
    assert enter(page, PASSWORD).status_int == 303
    assert sign_in(browser).status_int == 303


@pytest.mark.parametrize("after_a_wrong_one", [True, False])
def test_another_browser_may_choose_a_new_password(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database, after_a_wrong_one: bool
) -> None:
    sign_up(browser)
    page = another_browser(app).get(mailbox.link(mailbox.latest()))
    if after_a_wrong_one:
        page = enter(page, "not the right passphrase")
        assert page.status_int == 422
        assert summary(page) == [
            "This is not the password that was chosen at sign-up. Enter it again, or choose a new"
            " one."
        ]
    else:
        page = page.click("Choose a new password")
    assert page.html.find(id="password")["autocomplete"] == "new-password"
    page = enter(page, "short")
    assert summary(page) == ["Use at least 15 characters."]
    page = enter(page, "annanna@example.org")
    assert page.status_int == 422
    assert count(database, Account) == 0

    assert enter(page, ANOTHER_PASSWORD).status_int == 303
    assert sign_in(browser, password=PASSWORD).status_int == 422
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 303


def test_without_a_password_another_browser_creates_no_account(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    sign_up(browser)
    page = enter(another_browser(app).get(mailbox.link(mailbox.latest())), "")
    assert (page.status_int, summary(page)) == (422, ["Enter your password."])
    form = page.forms[0]
    del form.fields["password"]
    assert form.submit(status=422).status_int == 422
    assert count(database, Account) == 0


OWNER, STRANGER = PASSWORD, ANOTHER_PASSWORD


@pytest.mark.parametrize("many_browsers", [False, True])
@pytest.mark.parametrize("opened_in", ["the owner's browser", "the owner's phone"])
def test_a_stranger_cannot_take_over_a_sign_up(
    app: Router, browser: TestApp, mailbox: Mailbox, many_browsers: bool, opened_in: str
) -> None:
    """The stranger signs up until no email goes out any more, before the owner and after."""
    stranger = another_browser(app)
    for _ in range(7):
        if many_browsers:
            stranger = another_browser(app)
        sign_up(stranger, ANNA, STRANGER)
    strangers_links = [mailbox.link(mail) for mail in mailbox.all() if mail.state == "captured"]

    page = sign_up(browser, ANNA, OWNER).follow()
    assert mailbox.latest().state == "captured"
    page.forms[0].submit()
    assert mailbox.latest().state == "captured"

    # The owner opens a link of the stranger's, which looks like any other.
    if opened_in == "the owner's browser":
        page = browser.get(strangers_links[0]).forms[0].submit()
    else:
        page = enter(another_browser(app).get(strangers_links[0]), OWNER)
        assert page.status_int == 422
        page = enter(page, OWNER)
    assert page.status_int == 303
    assert sign_in(another_browser(app), ANNA, STRANGER).status_int == 422
    assert sign_in(another_browser(app), ANNA, OWNER).status_int == 303


def test_a_stranger_with_any_number_of_browsers_uses_up_no_email_of_the_owner(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    add_account(database, ANNA)
    for _ in range(FOR_A_NETWORK + 4):
        forgot_password(another_browser(app, REMOTE_ADDR="198.51.100.7"))
    sent = [mail for mail in mailbox.all() if mail.state == "captured"]
    assert len(sent) == FOR_A_NETWORK
    forgot_password(browser)
    assert mailbox.latest().state == "captured"
    assert mailbox.latest().id > sent[0].id


def test_a_browser_that_signed_up_with_another_address_needs_the_password(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    """A browser that signed up with another address has to enter the password."""
    sign_up(browser, ANNA, OWNER)
    stranger = another_browser(app)
    sign_up(stranger, "stranger@example.org", STRANGER)
    page = stranger.get(mailbox.link(mailbox.all(to=ANNA)[0]))
    assert page.html.find(id="password")
    page.forms[0].fields.pop("password")
    page.forms[0].submit(status=422)
    assert count(database, Account) == 0


def test_when_emails_are_held_back_any_earlier_link_serves_the_owner(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    for _ in range(FOR_A_NETWORK):
        sign_up(another_browser(app), ANNA, STRANGER)
    sign_up(browser, ANNA, OWNER)
    *_others, last_sent, held_back = mailbox.all()
    assert held_back.state == "throttled"
    assert browser.get(mailbox.link(last_sent)).forms[0].submit().status_int == 303
    assert sign_in(browser, ANNA, OWNER).status_int == 303


@pytest.mark.parametrize("opened_first", range(3))
def test_whichever_link_is_opened_first_works_and_voids_the_others(
    browser: TestApp, mailbox: Mailbox, opened_first: int
) -> None:
    page = sign_up(browser).follow()
    for _ in range(2):
        page = page.forms[0].submit().follow()
    links = [mailbox.link(email) for email in mailbox.all()]
    assert browser.get(links.pop(opened_first)).forms[0].submit().status_int == 303
    assert len(links) == 2
    for link in links:
        page = browser.get(link, status=410)
        assert heading(page) == "This address is already confirmed"
        assert page.html.select_one("main a.button")["href"] == "/sign-in"
    assert sign_in(browser).status_int == 303


def test_links_of_one_sign_up_used_at_once_make_one_account(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    page = sign_up(browser).follow()
    for _ in range(3):
        page = page.forms[0].submit().follow()
    pages = [another_browser(app).get(mailbox.link(email)) for email in mailbox.all()]
    pages = at_once(lambda page: enter(page, PASSWORD), pages)
    assert sorted(page.status_int for page in pages) == [303, 410, 410, 410]
    assert count(database, Account) == 1


def test_the_last_sign_up_of_a_browser_gives_the_password(
    browser: TestApp, mailbox: Mailbox
) -> None:
    sign_up(browser, password=ANOTHER_PASSWORD)
    first = mailbox.link(mailbox.latest())
    sign_up(browser, password=PASSWORD)
    assert browser.get(first).forms[0].submit().status_int == 303
    assert sign_in(browser, password=PASSWORD).status_int == 303


def test_confirming_voids_the_links_of_every_sign_up_with_the_address(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    sign_up(browser, "ANNA@example.org")
    mine = mailbox.link(mailbox.latest())
    stranger = another_browser(app)
    page = sign_up(stranger, "anna@example.org", ANOTHER_PASSWORD).follow()
    theirs = mailbox.link(mailbox.latest())
    sign_up(another_browser(app), "berta@example.org")
    bertas = mailbox.link(mailbox.latest())

    assert browser.get(mine).forms[0].submit().status_int == 303
    dead = browser.get(theirs, status=410)
    assert heading(dead) == "This address is already confirmed"
    assert browser.get(bertas).status_int == 200
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 422
    assert sign_in(browser, password=PASSWORD).status_int == 303
    assert count(database, PendingSignUp) == 1
    # Nobody but the owner learns of it.
    assert heading(page.forms[0].submit().follow()) == "Check your inbox"
    assert (mailbox.latest().kind, mailbox.latest().recipient) == (
        "account_exists",
        "ANNA@example.org",
    )


def test_the_account_gets_the_address_to_which_the_link_was_sent(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    """A mail server may keep Anna and anna apart, so only the spelling of the link is proved."""
    sign_up(another_browser(app), "Anna@example.org", ANOTHER_PASSWORD)
    proved = mailbox.link(mailbox.latest())
    sign_up(browser, "anna@example.org")
    browser.get(proved).forms[0].submit(status=303)
    with database.transaction(write=False) as session:
        assert session.scalars(select(Account.address)).all() == ["Anna@example.org"]
