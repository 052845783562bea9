"""Signed-in customers see that our emails do not reach them and why, and can have the address tried
again.
"""

from datetime import timedelta

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.accounts.reach import sentence_of
from app.database.engine import Database
from app.mail.events.reach import Unreachable
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress
from tests.mail.events.test_hearing import about, tell
from tests.support.accounts import (
    ANNA,
    add_account,
    heading,
    post,
    recorded_statements,
    sign_in,
    sign_up,
)
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind, put
from tests.support.second_factor import events

NEW = "new@example.org"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna is signed in."""
    anna = add_account(database)
    sign_in(browser)
    return anna


def bounce(outbox: Outbox, key: str = "a", code: str | None = "5.1.1") -> OutboxEmail:
    """An email to Anna came back."""
    email = put(outbox, outbox.write(1, key=key, address=ANNA), State.SENT)
    tell(outbox, about(outbox, email, Event.BOUNCED, code=code))
    return email


def notice(page: TestResponse) -> str | None:
    """The first sentence of the notice, None where the page has none."""
    found = page.html.select_one(".unreachable p")
    return None if found is None else found.get_text().strip().split("\n")[0].rstrip(".")


def press_try_again(page: TestResponse) -> TestResponse:
    [form] = [each for each in page.forms.values() if each.action.endswith("/try-again")]
    return form.submit(expect_errors=True)


def suppressed(outbox: Outbox, address: str = ANNA) -> SuppressedAddress | None:
    with outbox.registry.database.transaction(write=False) as session:
        return session.get(SuppressedAddress, address)


NO_MAILBOX = f"We could not reach you at {ANNA}, because this mailbox does not exist"


def test_every_page_tells_the_owner_and_nobody_else(
    app: Router, browser: TestApp, outbox: Outbox, database: Database
) -> None:
    assert notice(browser.get("/")) is None
    bounce(outbox)
    for path in ("/", "/account", "/orders", "/account/email", "/basket"):
        page = browser.get(path)
        assert notice(page) == NO_MAILBOX
        assert "We send nothing there before" in page.text
    stranger = another_browser(app)
    assert notice(stranger.get("/")) is None
    assert notice(post(stranger, "/sign-in", email=ANNA, password="wrong")) is None
    add_account(database, "berta@example.org")
    sign_in(stranger, "berta@example.org")
    assert notice(stranger.get("/")) is None


def test_an_error_page_is_shown_without_it(browser: TestApp, outbox: Outbox) -> None:
    bounce(outbox)
    assert notice(browser.get("/no-such-page", status=404)) is None


def test_it_takes_one_statement_and_none_for_a_stranger(
    app: Router, browser: TestApp, database: Database
) -> None:
    browser.get("/account")
    with recorded_statements(database) as signed_in:
        browser.get("/account")
    assert len([each for each in signed_in if each.startswith("SELECT")]) == 2
    with recorded_statements(database) as strangers:
        another_browser(app).get("/sign-in")
    assert not [each for each in strangers if each.startswith("SELECT")]


@pytest.mark.parametrize(
    ("event", "code", "words"),
    [
        (Event.BOUNCED, "5.1.1", "this mailbox does not exist"),
        (Event.BOUNCED, "5.2.2", "this mailbox is full"),
        (Event.BOUNCED, "4.2.2", "this mailbox is full"),
        (Event.BOUNCED, "5.1.2", "its domain does not exist"),
        (Event.BOUNCED, "5.7.1", "your email provider refused our email"),
        (Event.BOUNCED, "4.4.7", "its email server did not answer"),
        (Event.BOUNCED, "5.9.99", "an email to it came back"),
        (Event.BOUNCED, None, "an email to it came back"),
        (None, None, "an email to it came back"),
        (Event.COMPLAINED, "5.1.1", "an email of ours was reported as spam"),
    ],
)
def test_the_reason_is_in_plain_words(event: Event | None, code: str | None, words: str) -> None:
    sentence = sentence_of(Unreachable(event, code))
    assert sentence == f"We could not reach you at ${{address}}, because {words}."


def test_a_last_email_that_bounced_is_told_though_nothing_is_suppressed(
    browser: TestApp, outbox: Outbox
) -> None:
    bounce(outbox, code="5.2.2")
    page = browser.get("/")
    assert notice(page) == f"We could not reach you at {ANNA}, because this mailbox is full"
    assert "We send nothing there" not in page.text
    put(outbox, outbox.write(1, key="b", address=ANNA), State.SENT)
    assert notice(browser.get("/")) is None


def test_it_stays_when_the_suppression_has_ended_and_goes_with_the_next_email_that_is_sent(
    browser: TestApp, outbox: Outbox, clock: Clock
) -> None:
    bounce(outbox)
    clock.advance(DAY)
    assert notice(browser.get("/")) == NO_MAILBOX
    put(outbox, outbox.write(1, key="b", address=ANNA), State.SENT)
    assert notice(browser.get("/")) is None


def test_another_try_sends_what_did_not_arrive_and_counts_the_bounces_on(
    browser: TestApp, outbox: Outbox, clock: Clock, anna: int, database: Database
) -> None:
    secret = kind("secret", carries_secret=True)
    email = bounce(outbox)
    held = outbox.write(1, key="b", address=ANNA)
    outbox.write(1, key="c", of=secret, address=ANNA)
    assert held.state == State.SUPPRESSED
    clock.advance(timedelta(hours=1))
    page = press_try_again(browser.get("/"))
    assert page.location.endswith("/account/emails")
    page = page.follow()
    assert notice(page) is None
    assert f"We are trying {ANNA} again, and send what has not reached you." in page.text
    assert outbox.row(held).state == State.QUEUED
    with database.transaction(write=False) as session:
        copy = session.query(OutboxEmail).filter_by(key=f"{email.key}#2").one()
    assert copy.state == State.QUEUED
    assert events(database, anna)[-1] == ("address_retry", "ok")
    clock.advance(timedelta(minutes=1))
    tell(outbox, about(outbox, copy, Event.BOUNCED, code="5.1.1"))
    row = suppressed(outbox)
    assert row is not None
    assert (row.bounces, row.until - clock()) == (2, 7 * DAY)
    page = browser.get("/")
    assert notice(page) == NO_MAILBOX
    assert "You can ask again from" in page.text


def test_a_try_is_possible_once_a_day(browser: TestApp, outbox: Outbox, clock: Clock) -> None:
    bounce(outbox)
    page = browser.get("/")
    press_try_again(page)
    clock.advance(timedelta(minutes=1))
    bounce(outbox, "b")
    page = press_try_again(page)
    assert page.status_int == 429
    assert heading(page) == "Too many attempts"
    row = suppressed(outbox)
    assert row is not None
    assert row.until > clock()
    clock.advance(DAY)
    assert press_try_again(browser.get("/")).status_int == 303


def test_a_try_after_a_bounce_that_suppressed_nothing_takes_the_notice_away(
    browser: TestApp, outbox: Outbox, clock: Clock
) -> None:
    secret = kind("secret", carries_secret=True)
    email = put(outbox, outbox.write(1, of=secret, address=ANNA), State.SENT)
    tell(outbox, about(outbox, email, Event.BOUNCED, code="5.2.2"))
    clock.advance(timedelta(minutes=1))
    page = press_try_again(browser.get("/")).follow()
    assert notice(page) is None
    assert f"We are trying {ANNA} again with the next email to you." in page.text
    clock.advance(timedelta(minutes=1))
    bounce(outbox, "b", code="5.2.2")
    assert notice(browser.get("/")) is not None


def test_only_a_signed_in_customer_has_an_address_tried_again(
    app: Router, outbox: Outbox, clock: Clock
) -> None:
    bounce(outbox)
    stranger = another_browser(app)
    token = stranger.get("/sign-in").forms[0]["csrf_token"].value
    page = stranger.post("/account/emails/try-again", {"csrf_token": token}, status=303)
    assert "/sign-in" in page.location
    row = suppressed(outbox)
    assert row is not None
    assert row.until > clock()


def test_a_confirmed_sign_up_lifts_the_suppression_of_its_address(
    app: Router, outbox: Outbox
) -> None:
    browser = another_browser(app)
    sign_up(browser, NEW)
    outbox.suppress(NEW)
    link = browser.get("/dev/mailbox.json").json[0]["links"][0].removeprefix("http://localhost")
    assert browser.get(link).forms[0].submit().status_int == 303
    assert suppressed(outbox, NEW) is None


def test_a_confirmed_new_address_lifts_its_suppression_and_the_old_one_stays(
    browser: TestApp, outbox: Outbox
) -> None:
    bounce(outbox)
    page = browser.get("/account/email")
    form = next(form for form in page.forms.values() if "new_email" in form.fields)
    form["new_email"] = NEW
    form.submit()
    outbox.suppress(NEW)
    emails = browser.get("/dev/mailbox.json").json
    [links] = [email["links"] for email in emails if email["kind"] == "email_change"]
    page = browser.get(links[0].removeprefix("http://localhost"))
    form = next(form for form in page.forms.values() if not form.action.endswith("/try-again"))
    form.submit(status=303)
    assert suppressed(outbox, NEW) is None
    assert suppressed(outbox) is not None
    assert notice(browser.get("/")) is None


def test_the_list_of_emails_says_why_one_came_back(browser: TestApp, outbox: Outbox) -> None:
    bounce(outbox, code="5.2.2")
    text = " ".join(
        browser.get("/account/emails").html.select_one("td:last-child").stripped_strings
    )
    assert text == "Sent back by your email provider Your mailbox was full."


def test_the_export_tells_of_the_suppression(
    browser: TestApp, outbox: Outbox, clock: Clock
) -> None:
    bounce(outbox)
    page = browser.get("/account/export")
    form = next(form for form in page.forms.values() if form.action.endswith("/export"))
    told = form.submit().json["suppression"]
    assert told["reason"] == "an email to it bounced (5.1.1)"
    assert told["until"] == (clock() + DAY).isoformat()
    assert (told["bounces"], told["tried_again_at"]) == (1, None)
