"""The log of emails for staff: who may see it, the list with its filter, and the search."""

import logging
from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import Account
from app.database.engine import Database
from app.mail.events.hearing import Heard
from app.mail.kinds import InDoubt
from app.mail.outbox.event_tables import Event
from app.mail.outbox.search import STEP
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.shop.models import Order
from app.shop.order_numbers import new_order_number
from tests.support.accounts import ANNA, add_account, sign_in, summary
from tests.support.clock import Clock
from tests.support.email_log import heard, listed, search
from tests.support.orders import place
from tests.support.outbox import Outbox, kind, put
from tests.support.second_factor import turn_on
from tests.support.shopping import add_product, stock

HELD = kind("held_note", in_doubt=InDoubt.HOLD)


# --- Who may see it -----------------------------------------------------------


def test_for_customers_and_strangers_the_pages_do_not_exist(
    browser: TestApp, anna: OutboxEmail, database: Database, clock: Clock
) -> None:
    pages = ["/staff/emails", f"/staff/emails/{anna.id}", "/staff/emails/999"]
    paths = [*pages, f"/staff/emails/{anna.id}/html"]
    add_account(database)
    for path in paths:
        browser.get(path, status=404)
    sign_in(browser)
    for path in paths:
        browser.get(path, status=404)
    turn_on(browser, clock)
    token = browser.get("/account").forms[0]["csrf_token"].value
    for path in paths:
        browser.get(path, status=404)
    for path in pages:
        for act in ("resend", "release", "cancel", "copy"):
            browser.post(path, {"act": act, "csrf_token": token}, status=404)


def test_no_search_engine_and_no_cache_keeps_a_page(staff: TestApp, anna: OutboxEmail) -> None:
    for path in ("/staff/emails", f"/staff/emails/{anna.id}", f"/staff/emails/{anna.id}/html"):
        page = staff.get(path)
        assert page.headers["X-Robots-Tag"] == "noindex"
        assert page.headers["Cache-Control"] == "no-store"


def test_an_email_that_does_not_exist_is_not_found(staff: TestApp) -> None:
    for id in ("0", "999", "2147483647", "2147483648", "9" * 30):
        staff.get(f"/staff/emails/{id}", status=404)
        staff.get(f"/staff/emails/{id}/html", status=404)
    staff.get("/staff/emails?to_of=2147483647", status=404)
    staff.get("/staff/emails?before=2147483648", status=404)
    staff.get("/staff/emails?before=x", status=404)
    assert listed(staff.get("/staff/emails?before=1")) == []


# --- The list -----------------------------------------------------------------


def test_without_emails_the_page_says_what_comes(staff: TestApp, database: Database) -> None:
    with database.transaction(write=True) as session:
        session.query(OutboxEmail).delete()
    assert "No emails yet." in staff.get("/staff/emails").text


def test_the_list_shows_the_newest_first_with_state_and_last_words(
    staff: TestApp, outbox: Outbox, anna: OutboxEmail
) -> None:
    failed = put(outbox, outbox.write(2), State.FAILED, reason="550 5.1.1 no such user")
    page = staff.get("/staff/emails")
    assert listed(page)[:2] == [failed.id, anna.id]
    first = page.html.select(".log li")[0].get_text(" ")
    assert "customer2@example.org" in first
    assert "Failed" in first
    assert "550 5.1.1 no such user" in first


def test_the_last_words_are_those_of_the_last_event(
    app: Router, staff: TestApp, outbox: Outbox, database: Database, clock: Clock
) -> None:
    email = put(outbox, outbox.write(2), State.SENT, sent_at=clock(), reason=None)
    heard(app, email, Heard(Event.DELIVERED, "1", code="2.0.0", words="250 ok queued as A1"))
    first = staff.get("/staff/emails").html.select(".log li")[0].get_text(" ")
    assert "Delivered" in first
    assert "2.0.0 250 ok queued as A1" in first


def test_pages_follow_each_other_by_number(staff: TestApp, outbox: Outbox) -> None:
    emails = [outbox.write(number) for number in range(60)]
    first = staff.get("/staff/emails?kind=note")
    older = first.click("Older emails")
    assert listed(first) + listed(older) == [email.id for email in reversed(emails)]
    assert listed(older.click("Newest emails")) == listed(first)
    assert "Older emails" not in older.text


def test_the_filters_leave_out_the_rest(
    staff: TestApp, outbox: Outbox, clock: Clock, anna: OutboxEmail
) -> None:
    failed = put(outbox, outbox.write(2, of=HELD), State.FAILED, reason="552 5.3.4 Too large")
    clock.advance(timedelta(minutes=30))
    late = put(outbox, outbox.write(3), State.FAILED, reason="550 5.1.1 unknown")
    for fields, ids in (
        ({"state": "failed"}, [late.id, failed.id]),
        ({"state": "failed", "kind": "held_note"}, [failed.id]),
        ({"reason": "552 5.3.4 TOO"}, [failed.id]),
        ({"state": "failed", "within": "hour"}, [late.id, failed.id]),
        ({"state": "bounced"}, []),
    ):
        page = search(staff, **fields)
        assert page.status_int == 303
        page = page.follow()
        assert listed(page) == ids
        assert {name: page.forms[0][name].value for name in fields} == fields
    assert "No email fits this filter." in page.text
    clock.advance(timedelta(minutes=31))
    assert listed(search(staff, state="failed", within="hour").follow()) == [late.id]


def test_a_search_for_a_reason_goes_on_where_it_stopped(staff: TestApp, outbox: Outbox) -> None:
    wanted = put(outbox, outbox.write(0), State.FAILED, reason="552 too large")
    names = [column.name for column in OutboxEmail.__table__.columns if column.name != "id"]
    row = {name: getattr(wanted, name) for name in names}
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(
            OutboxEmail.__table__.insert(),
            [
                row | {"key": f"k{n}", "message_id": f"<{n}@x>", "reason": "550 spam"}
                for n in range(STEP)
            ],
        )
    page = staff.get("/staff/emails?reason=552")
    assert listed(page) == []
    assert "Older ones may." in page.text
    assert listed(page.click("Older emails")) == [wanted.id]


# --- The search ---------------------------------------------------------------


def test_an_address_finds_its_emails_and_is_in_no_url_and_no_log(
    staff: TestApp, outbox: Outbox, anna: OutboxEmail, caplog: pytest.LogCaptureFixture
) -> None:
    outbox.write(2)
    caplog.set_level(logging.DEBUG, "app")
    page = search(staff, " ANNA@example.org ")
    assert page.location.endswith(f"/staff/emails?to_of={anna.id}")
    page = page.follow()
    assert listed(page) == [anna.id]
    assert page.forms[0]["find"].value == ANNA
    assert "anna@" not in caplog.text.lower()
    # The filter narrows what the search found.
    form = page.forms[0]
    form["state"] = "failed"
    page = form.submit().follow()
    assert listed(page) == []
    assert page.forms[0]["find"].value == ANNA


def test_what_is_not_found_is_told_in_a_sentence(staff: TestApp, anna: OutboxEmail) -> None:
    nobody = "We never wrote an email to this address, or it was erased."
    unreadable = (
        "Enter a whole email address, a Message-ID, an order number or the number of an email."
    )
    for text, words in (
        ("nobody@example.org", nobody),
        ("<nobody@example.org>", "There is no email with this Message-ID."),
        (new_order_number(), "There is no order with this number."),
        ("4711", "There is no email with this number."),
        ("2147483648", unreadable),
        ("anna", unreadable),
        ("%@%", nobody),
        ("_nna@example.org", nobody),
        ("a" * 10_000, unreadable),
        ("@" * 10_000, nobody),
        ("1" * 10_000, unreadable),
    ):
        page = search(staff, text)
        assert page.status_int == 422
        assert summary(page) == [words]
        assert page.forms[0]["find"].value == text
    for text in ("anna\0@example.org", "\0"):
        assert search(staff, text).status_int == 400


def test_odd_values_in_the_query_find_nothing_and_break_nothing(
    staff: TestApp, outbox: Outbox
) -> None:
    email = put(outbox, outbox.write(1), State.FAILED, reason="550 no")
    for value in ("%", "_", "x" * 10_000, "é", "'"):
        for name in ("reason", "kind", "about"):
            assert listed(staff.get("/staff/emails", {name: value})) == []
        for name in ("state", "within", "to_of"):
            assert listed(staff.get("/staff/emails", {name: value})) == [email.id]
    staff.get("/staff/emails?reason=%00", status=400)


def test_an_address_in_the_reason_is_refused_so_that_no_url_holds_it(
    staff: TestApp, anna: OutboxEmail
) -> None:
    page = search(staff, reason="550 <anna@example.org>")
    assert page.status_int == 422
    assert summary(page) == [
        "Enter only how the reason begins, such as 550 5.1.1, without an address."
    ]


def test_a_message_id_and_a_number_lead_to_the_email(staff: TestApp, anna: OutboxEmail) -> None:
    for text in (anna.message_id, anna.message_id.strip("<>"), str(anna.id), f"#{anna.id}"):
        assert search(staff, text).location.endswith(f"/staff/emails/{anna.id}")


def test_an_order_number_finds_the_emails_about_the_order(
    staff: TestApp, outbox: Outbox, database: Database, anna: OutboxEmail
) -> None:
    stock(database)
    with database.transaction(write=True) as session:
        add_product(session, "seal", 1200)
    add_account(database)
    with database.transaction(write=False) as session:
        account = session.query(Account).filter_by(address=ANNA).one()
    place(outbox.registry, account, {"seal": 1}, basket_id="b")
    with database.transaction(write=False) as session:
        order = session.scalars(select(Order)).one()
    page = search(staff, order.number.lower().replace("-", "")).follow()
    assert "No email fits this filter." in page.text
    email = outbox.write(3, about=f"order:{order.id}")
    page = search(staff, order.number).follow()
    assert listed(page) == [email.id]
    assert page.forms[0]["find"].value == order.number
    assert f"Order {order.number}" in staff.get(f"/staff/emails/{email.id}").text


def test_the_list_shows_the_relays_last_reply_about_an_accepted_email(
    staff: TestApp, outbox: Outbox, database: Database, clock: Clock
) -> None:
    email = put(outbox, outbox.write(1), State.SENT, reason=None, sent_at=clock())
    with database.transaction(write=True) as session:
        for code, reply in ((451, "451 try later"), (250, "250 2.0.0 queued as X1")):
            session.add(
                EmailAttempt(
                    email_id=email.id,
                    at=clock(),
                    outcome="accepted",
                    phase="body",
                    code=code,
                    enhanced_code=None,
                    reply=reply,
                    duration_ms=1,
                )
            )
    words = staff.get("/staff/emails").html.select_one(".log-words")
    assert words.get_text() == "250 2.0.0 queued as X1"
