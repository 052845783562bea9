"""The page of one email: its story, its content, and what staff can do about it."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import Form, TestApp, TestResponse

from app.database.engine import Database
from app.mail.erasing import erase_recipient
from app.mail.events.hearing import Heard
from app.mail.kinds import InDoubt
from app.mail.outbox.event_tables import EmailEvent, Event
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.staff.models import StaffAction
from tests.support.accounts import ANNA, PASSWORD, heading
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.email_log import heard, listed, search
from tests.support.outbox import Outbox, kind, put

SAM = "sam@example.org"
SECRET = kind("secret_note", carries_secret=True)
HELD = kind("held_note", in_doubt=InDoubt.HOLD)


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
