"""The log of emails for staff: the list with its filter and search, and each email's story."""

import logging
from datetime import timedelta
from hashlib import sha256

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import Form, TestApp, TestResponse

from app.accounts.models import Account, SignInSession
from app.accounts.sessions import COOKIE
from app.database.engine import Database
from app.mail.erasing import erase_recipient
from app.mail.events.hearing import Heard, hear
from app.mail.kinds import InDoubt
from app.mail.outbox.event_tables import EmailEvent, Event
from app.mail.outbox.search import STEP
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.shop.models import Order
from app.shop.order_numbers import new_order_number
from app.staff.models import StaffAction
from tests.support.accounts import ANNA, PASSWORD, add_account, heading, sign_in, summary
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.orders import place
from tests.support.outbox import Outbox, kind, put
from tests.support.second_factor import turn_on
from tests.support.shopping import add_product, stock

SAM = "sam@example.org"
SECRET = kind("secret_note", carries_secret=True)
HELD = kind("held_note", in_doubt=InDoubt.HOLD)


@pytest.fixture
def sam(database: Database) -> int:
    """Sam, a member of staff."""
    return add_account(database, SAM, is_staff=True)


@pytest.fixture
def staff(app: Router, sam: int, database: Database, clock: Clock) -> TestApp:
    """Sam's browser, signed in with the second factor."""
    secret, now = "0123456789", clock()
    row = SignInSession(
        account_id=sam,
        digest=sha256(secret.encode()).digest(),
        created_at=now,
        authenticated_at=now,
        last_used_at=now,
        second_factor_at=now,
        browser="Firefox",
        system="Linux",
    )
    with database.transaction(write=True) as session:
        session.add(row)
    browser = another_browser(app)
    browser.set_cookie(COOKIE, secret)
    return browser


@pytest.fixture
def anna(outbox: Outbox) -> OutboxEmail:
    """An email to Anna, which is captured."""
    return outbox.write(1, address=ANNA, name="Anna")


def search(
    staff: TestApp, text: str = "", path: str = "/staff/emails", **fields: str
) -> TestResponse:
    """Fill in the filter, and press its button."""
    form = staff.get("/staff/emails").forms[0]
    form["find"] = text
    for name, value in fields.items():
        form[name] = value
    return form.submit(expect_errors=True)


def listed(page: TestResponse) -> list[int]:
    """The numbers of the emails in the list."""
    return [int(number.get_text()) for number in page.html.select(".log .number")]


def story(page: TestResponse) -> list[str]:
    """The steps of the story, in words."""
    return [step.get_text() for step in page.html.select(".story strong")]


def buttons(page: TestResponse) -> list[str]:
    return [button.get_text() for button in page.html.select(".acts button")]


def press(staff: TestApp, email: OutboxEmail, name: str) -> TestResponse:
    """Press a button on the email's page."""
    return button(staff, email, name).submit(expect_errors=True)


def button(staff: TestApp, email: OutboxEmail, name: str) -> Form:
    """The form of a button on the email's page."""
    page = staff.get(f"/staff/emails/{email.id}")
    (form,) = [
        form for form in page.forms.values() if "act" in form.fields and form["act"].value == name
    ]
    return form


def actions(database: Database) -> list[tuple[str, str, int, int, str]]:
    """What staff did: action, target, done, refused and detail of each."""
    with database.transaction(write=False) as session:
        rows = session.scalars(select(StaffAction).order_by(StaffAction.id))
        return [(row.action, row.target, row.done, row.refused, row.detail) for row in rows]


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


# --- One email ----------------------------------------------------------------


def heard(app: Router, email: OutboxEmail, *events: Heard) -> None:
    """Let the email's service tell events about it."""
    registry = app.registry
    tag = registry.email_tags.of(email.id)
    with registry.database.transaction(write=True) as session:
        hear(
            session,
            "postmark",
            [
                Heard(**{name: getattr(event, name) for name in event.__slots__} | {"tag": tag})
                for event in events
            ],
            tags=registry.email_tags,
            kinds=registry.email_kinds,
            now=registry.clock(),
        )


def test_the_story_tells_who_asked_every_try_and_every_event(
    app: Router, staff: TestApp, outbox: Outbox, database: Database, clock: Clock
) -> None:
    email = outbox.write(1)
    outbox.change(email, request_id="4f3a2b", state=State.SENT, sent_at=clock())
    with database.transaction(write=True) as session:
        for minutes, outcome, code, reply in (
            (1, "deferred", 451, "451 4.7.1 try again later"),
            (2, "accepted", 250, "250 2.0.0 queued as A1"),
        ):
            session.add(
                EmailAttempt(
                    email_id=email.id,
                    at=clock() + timedelta(minutes=minutes),
                    outcome=outcome,
                    phase="rcpt",
                    code=code,
                    enhanced_code=None,
                    reply=reply,
                    duration_ms=120,
                )
            )
    clock.advance(timedelta(minutes=10))
    heard(app, email, Heard(Event.BOUNCED, "1", code="5.1.1", words="no such user"))
    page = staff.get(f"/staff/emails/{email.id}")
    assert story(page) == [
        "Asked for by a request",
        "Rendered",
        "Put into the queue",
        "The relay deferred the email",
        "The relay accepted the email",
        "The email came back",
    ]
    steps = [step.get_text(" ") for step in page.html.select(".story li")]
    assert "4f3a2b" in steps[0]
    assert "rcpt · 451 · 120 ms" in steps[3]
    assert "451 4.7.1 try again later" in steps[3]
    assert "postmark · 5.1.1" in steps[5]
    assert "no such user" in steps[5]
    assert "No email goes to this address until:" in page.text
    assert email.message_id in page.html.get_text()
    assert app.registry.email_tags.of(email.id) in page.text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (State.QUEUED, "A worker tries the email from this time on:"),
        (State.SENDING, "A worker is sending the email at this moment."),
        (State.UNKNOWN, "The email is held until you release or cancel it."),
        (State.SENT, "The relay has the email."),
        (State.THROTTLED, "Nothing happens by itself."),
    ],
)
def test_the_page_says_what_happens_next(
    staff: TestApp, outbox: Outbox, state: State, words: str
) -> None:
    email = put(outbox, outbox.write(1), state)
    assert words in staff.get(f"/staff/emails/{email.id}").text


def test_every_state_has_a_page_and_a_place_in_the_list(staff: TestApp, outbox: Outbox) -> None:
    for number, state in enumerate(State):
        email = put(outbox, outbox.write(number), state, reason="because", leased_by="worker")
        assert "because" in staff.get(f"/staff/emails/{email.id}").text
        if state is not State.SENT:
            assert listed(staff.get(f"/staff/emails?state={state}&reason=BEC")) == [email.id]
        assert listed(staff.get(f"/staff/emails?state={state}&kind=note")) == [email.id]


def test_the_content_is_in_a_frame_that_may_do_nothing(staff: TestApp, outbox: Outbox) -> None:
    email = outbox.write(1, html="<html><head></head><body><p>Hello</p></body></html>")
    page = staff.get(f"/staff/emails/{email.id}")
    frame = page.html.select_one("iframe")
    assert "allow-scripts" not in frame["sandbox"]
    content = staff.get(frame["src"])
    assert "<p>Hello</p>" in content.text
    policy = content.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "sandbox" in policy


def test_a_body_that_holds_a_secret_is_never_shown(staff: TestApp, outbox: Outbox) -> None:
    email = outbox.write(1, of=SECRET, html="<p>the-secret</p>", text="the-secret")
    page = staff.get(f"/staff/emails/{email.id}")
    assert "the-secret" not in page.text
    assert "can open an account" in page.text
    assert "Send a copy to me" not in buttons(page)
    staff.get(f"/staff/emails/{email.id}/html", status=404)
    token = page.forms[0]["csrf_token"].value
    staff.post(f"/staff/emails/{email.id}", {"act": "copy", "csrf_token": token}, status=303)
    assert not any(row.recipient == SAM and row.kind == SECRET.name for row in all_rows(outbox))


def test_a_kind_that_the_application_lost_is_treated_as_a_secret(
    staff: TestApp, outbox: Outbox
) -> None:
    email = outbox.change(outbox.write(1, html="<p>in-the-body</p>"), kind="gone")
    assert "in-the-body" not in staff.get(f"/staff/emails/{email.id}").text
    assert listed(staff.get("/staff/emails?kind=gone")) == [email.id]


def test_an_email_whose_recipient_was_erased_tells_only_its_kind_and_state(
    staff: TestApp, outbox: Outbox, database: Database, anna: OutboxEmail
) -> None:
    put(outbox, anna, State.FAILED, reason="550 5.1.1 <anna@example.org> unknown")
    with database.transaction(write=True) as session:
        erase_recipient(session, ANNA, 10)
    for path in ("/staff/emails", f"/staff/emails/{anna.id}"):
        page = staff.get(path)
        assert "Failed" in page.text
        assert "anna" not in page.text.lower()
    staff.get(f"/staff/emails?to_of={anna.id}", status=404)
    assert search(staff, ANNA).status_int == 422


def all_rows(outbox: Outbox) -> list[OutboxEmail]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(OutboxEmail).order_by(OutboxEmail.id)))


# --- What staff do ------------------------------------------------------------


def test_each_state_offers_what_can_be_done(staff: TestApp, outbox: Outbox) -> None:
    for number, (state, offered) in enumerate(
        {
            State.QUEUED: ["Cancel", "Send a copy to me"],
            State.SENDING: ["Send a copy to me"],
            State.UNKNOWN: ["Release", "Cancel", "Send a copy to me"],
            State.FAILED: ["Send again", "Send a copy to me"],
        }.items()
    ):
        email = put(outbox, outbox.write(number), state)
        assert buttons(staff.get(f"/staff/emails/{email.id}")) == offered


def test_staff_send_an_email_again_and_it_is_kept_who_did(
    staff: TestApp, outbox: Outbox, database: Database, sam: int
) -> None:
    email = put(outbox, outbox.write(1), State.FAILED, reason="550 no")
    page = press(staff, email, "resend").follow()
    assert "The email is sent again." in page.text
    assert outbox.row(email).state == State.QUEUED
    assert actions(database) == [("resend", f"email:{email.id}", 1, 0, "")]
    assert "The email was sent again by hand" in story(page)
    with database.transaction(write=False) as session:
        action = session.scalars(select(StaffAction)).one()
    assert action.staff_id == sam
    assert action.request_id


def test_a_sent_email_becomes_a_new_one_whose_page_opens(
    staff: TestApp, outbox: Outbox, database: Database, clock: Clock
) -> None:
    email = put(outbox, outbox.write(1), State.SENT, sent_at=clock())
    page = press(staff, email, "resend").follow()
    newest = all_rows(outbox)[-1]
    assert heading(page) == f"Email {newest.id}"
    assert newest.key == f"{email.key}#2"
    assert actions(database) == [("resend", f"email:{email.id}", 1, 0, f"email:{newest.id}")]


def test_a_form_that_is_sent_twice_sends_a_sent_email_again_once(
    staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    email = put(outbox, outbox.write(1), State.SENT, sent_at=clock())
    form = button(staff, email, "resend")
    form.submit()
    assert "was sent again just now: email 2" in form.submit().follow().text
    assert len(all_rows(outbox)) == 2
    # Who has seen the copy may send one more.
    press(staff, email, "resend")
    assert len(all_rows(outbox)) == 3


def test_staff_release_and_cancel_what_is_held(
    staff: TestApp, outbox: Outbox, database: Database
) -> None:
    first, second = (put(outbox, outbox.write(n, of=HELD), State.UNKNOWN) for n in (1, 2))
    assert "released" in press(staff, first, "release").follow().text
    assert outbox.row(first).state == State.QUEUED
    page = press(staff, second, "cancel").follow()
    assert outbox.row(second).state == State.CANCELLED
    assert "cancelled by our staff" in page.text
    assert [action[0] for action in actions(database)] == ["release", "cancel"]


def test_what_cannot_be_done_is_refused_and_kept(
    staff: TestApp, outbox: Outbox, database: Database
) -> None:
    email = put(outbox, outbox.write(1), State.FAILED)
    form = button(staff, email, "resend")
    put(outbox, email, State.SENDING)
    page = form.submit().follow()
    assert "Nothing was changed." in page.text
    assert outbox.row(email).state == State.SENDING
    ((action, target, done, refused, detail),) = actions(database)
    assert (action, target, done, refused) == ("resend", f"email:{email.id}", 0, 1)
    assert "being sent" in detail


def test_a_copy_goes_to_the_member_of_staff_alone(
    staff: TestApp, outbox: Outbox, database: Database, anna: OutboxEmail
) -> None:
    page = press(staff, anna, "copy").follow()
    copy = all_rows(outbox)[-1]
    assert (copy.recipient, copy.subject, copy.html_body) == (SAM, anna.subject, anna.html_body)
    assert copy.message_id != anna.message_id
    assert f"The copy is email {copy.id}" in page.text
    assert actions(database) == [("copy", f"email:{anna.id}", 1, 0, f"email:{copy.id}")]
    assert outbox.row(anna).state == State.CAPTURED


def test_the_buttons_need_the_password_within_ten_minutes(
    staff: TestApp, outbox: Outbox, database: Database, clock: Clock
) -> None:
    email = put(outbox, outbox.write(1), State.FAILED)
    page = staff.get(f"/staff/emails/{email.id}")
    clock.advance(timedelta(minutes=10))
    forms = [form for form in page.forms.values() if "act" in form.fields]
    for form in forms:
        assert "/account/confirm" in form.submit(status=303).location
    assert outbox.row(email).state == State.FAILED
    assert actions(database) == []
    form = forms[0].submit().follow().forms[0]
    form["password"] = PASSWORD
    assert form.submit().location.endswith(f"/staff/emails/{email.id}")


def test_without_the_token_of_the_form_nothing_happens(
    staff: TestApp, outbox: Outbox, database: Database
) -> None:
    email = put(outbox, outbox.write(1), State.FAILED)
    for act in ("resend", "release", "cancel", "copy"):
        staff.post(f"/staff/emails/{email.id}", {"act": act}, status=400)
    assert outbox.row(email).state == State.FAILED
    assert actions(database) == []


def test_an_unknown_act_does_nothing(staff: TestApp, outbox: Outbox, database: Database) -> None:
    email = put(outbox, outbox.write(1), State.FAILED)
    token = staff.get("/staff/emails").forms[0]["csrf_token"].value
    staff.post(f"/staff/emails/{email.id}", {"act": "x", "csrf_token": token}, status="4*")
    assert actions(database) == []


def test_the_action_and_its_record_are_one_transaction(
    app: Router, staff: TestApp, outbox: Outbox, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = put(outbox, outbox.write(1), State.FAILED)

    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("app.staff.email.record_action", fail)
    page = press(staff, email, "resend")
    assert page.status_int == 500
    assert outbox.row(email).state == State.FAILED


# --- Copies, erased content, actions on several emails ------------------------


def test_an_email_and_its_copy_name_each_other_and_the_copy_its_request(
    staff: TestApp, outbox: Outbox, database: Database, clock: Clock
) -> None:
    email = put(outbox, outbox.write(1), State.SENT, sent_at=clock())
    clock.advance(timedelta(minutes=5))
    page = press(staff, email, "resend").follow()
    copy = all_rows(outbox)[-1]
    with database.transaction(write=False) as session:
        request_id = session.scalars(select(StaffAction.request_id)).one()
    assert copy.request_id == request_id
    assert story(page)[0] == f"Sends email {email.id} again"
    assert request_id in page.html.select_one(".story li").get_text()
    page = page.click(f"Sends email {email.id} again")
    assert heading(page) == f"Email {email.id}"
    assert story(page)[-1] == f"Sent again as email {copy.id}"
    assert heading(page.click(f"Sent again as email {copy.id}")) == f"Email {copy.id}"


def test_the_story_of_an_erased_email_still_says_that_it_was_rendered(
    staff: TestApp, outbox: Outbox
) -> None:
    gone = {"html_body": None, "text_body": None}
    sent = put(outbox, outbox.write(1), State.SENT, **gone)
    assert story(staff.get(f"/staff/emails/{sent.id}"))[1:] == [
        "Rendered",
        "Put into the queue",
        "The content has been erased since.",
    ]
    broken = put(
        outbox, outbox.write(2), State.FAILED, reason="could not be composed: no 'total'", **gone
    )
    assert story(staff.get(f"/staff/emails/{broken.id}"))[1:] == [
        "Could not be rendered",
        "Failed",
        "The content is not kept.",
    ]


@pytest.mark.parametrize("state", [State.FAILED, State.SENT, State.UNKNOWN])
def test_what_has_no_content_any_more_is_not_offered_to_be_sent(
    staff: TestApp, outbox: Outbox, state: State
) -> None:
    email = put(outbox, outbox.write(1), state, html_body=None, text_body=None)
    offered = buttons(staff.get(f"/staff/emails/{email.id}"))
    assert offered == (["Cancel"] if state is State.UNKNOWN else [])


def test_an_email_that_can_be_composed_again_is_offered_to_be_sent(
    staff: TestApp, outbox: Outbox
) -> None:
    columns = {"html_body": None, "text_body": None, "made_from": "[]"}
    email = put(outbox, outbox.write(1), State.FAILED, **columns)
    assert "Send again" in buttons(staff.get(f"/staff/emails/{email.id}"))


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


@on_sqlite
def test_an_email_with_very_many_events_shows_the_newest(
    staff: TestApp, outbox: Outbox, anna: OutboxEmail
) -> None:
    at, answer = anna.created_at, Event.AUTORESPONDED
    with outbox.registry.database.transaction(write=True) as session:
        for number in range(250):
            values = {
                "email_id": anna.id,
                "at": at,
                "source": "report",
                "event": answer,
                "is_hard": False,
            }
            session.add(EmailEvent(**values, words=f"answer {number}", source_id=str(number)))
    page = staff.get(f"/staff/emails/{anna.id}")
    assert "Only the newest 200 events are shown" in story(page)
    assert ("answer 249" in page.text, "answer 49" in page.text) == (True, False)
