"""A person's decisions about an email: resend, release, cancel."""

from datetime import timedelta

import pytest

from app.mail import Kind
from app.mail.outbox import decisions
from app.mail.outbox.decisions import Refused
from app.mail.outbox.tables import NOT_ACCEPTED, OutboxEmail, State
from tests.support.clock import Clock
from tests.support.outbox import RECEIPT, Outbox, attachments, kind, put

SECRET = kind("secret", carries_secret=True, time_to_live=timedelta(minutes=30))


def resend(outbox: Outbox, email: OutboxEmail, of: Kind | None = None) -> OutboxEmail:
    registry = outbox.registry
    with registry.database.transaction(write=True) as session:
        row = session.get_one(OutboxEmail, email.id)
        found = of or registry.email_kinds.get(row.kind)
        queued = decisions.resend(session, row, found, registry.clock(), registry.email_composer)
    return outbox.row(queued)


def cancel(outbox: Outbox, email: OutboxEmail) -> OutboxEmail:
    registry = outbox.registry
    with registry.database.transaction(write=True) as session:
        row = session.get_one(OutboxEmail, email.id)
        decisions.cancel(session, row, registry.email_kinds.get(row.kind), by="by a test")
    return outbox.row(email)


def release(outbox: Outbox, email: OutboxEmail) -> OutboxEmail:
    registry = outbox.registry
    with registry.database.transaction(write=True) as session:
        row = session.get_one(OutboxEmail, email.id)
        found = registry.email_kinds.get(row.kind)
        decisions.release(session, row, found, registry.clock())
    return outbox.row(email)


@pytest.mark.parametrize("state", NOT_ACCEPTED)
def test_an_email_that_was_not_accepted_is_queued_again_under_its_message_id(
    sending: Outbox, clock: Clock, state: State
) -> None:
    email = sending.write(1)
    put(sending, email, state, attempts=9, reason="550 no")
    clock.advance(timedelta(days=5))
    row = resend(sending, email)
    assert (row.id, row.message_id, row.state) == (email.id, email.message_id, "queued")
    assert (row.reason, row.attempts, row.next_attempt_at) == (None, 0, clock.now)
    assert row.expires_at == clock.now + timedelta(days=3)
    assert row.created_at == email.created_at


@pytest.mark.parametrize("state", [State.SENT, State.BOUNCED])
def test_a_sent_email_becomes_a_new_one_each_time(sending: Outbox, state: State) -> None:
    email = put(sending, sending.write(1, attachments=(RECEIPT,)), state)
    second = resend(sending, email)
    third = resend(sending, email)
    put(sending, second, state)
    fourth = resend(sending, second)
    assert [row.key for row in (second, third, fourth)] == ["note:1#2", "note:1#3", "note:1#4"]
    assert len({row.message_id for row in (email, second, third, fourth)}) == 4
    assert second.message_id.endswith("@example.org>")
    assert (second.state, second.recipient, second.html_body) == (
        "queued",
        email.recipient,
        email.html_body,
    )
    assert [(file.filename, file.content) for file in second.attachments] == [
        (RECEIPT.filename, RECEIPT.content)
    ]
    assert sending.row(email).state == state


def test_an_email_on_its_way_is_not_sent_again(sending: Outbox) -> None:
    email = sending.write(1)
    with pytest.raises(Refused, match="is in the queue"):
        resend(sending, email)
    put(sending, email, State.SENDING)
    with pytest.raises(Refused, match="being sent"):
        resend(sending, email)


@pytest.mark.parametrize("state", [State.SENT, State.FAILED])
def test_an_erased_email_is_refused_with_what_to_do_instead(sending: Outbox, state: State) -> None:
    erased = {"html_body": None, "text_body": None}
    secret = put(sending, sending.write(1, of=SECRET), state, **erased)
    with pytest.raises(Refused, match="request a new one"):
        resend(sending, secret)
    note = put(sending, sending.write(2), state, **erased)
    with pytest.raises(Refused, match="repeat what sent it"):
        resend(sending, note)
    assert sending.row(note).state == state


def test_an_expired_link_is_not_sent_again_and_a_fresh_one_keeps_its_time(
    sending: Outbox, clock: Clock
) -> None:
    email = put(sending, sending.write(1, of=SECRET), State.UNKNOWN)
    clock.advance(timedelta(minutes=29))
    assert resend(sending, email).expires_at == email.expires_at
    put(sending, email, State.UNKNOWN)
    clock.advance(timedelta(minutes=1))
    with pytest.raises(Refused, match="has expired"):
        resend(sending, email)


def test_an_email_that_a_newer_one_replaced_is_not_sent_again(sending: Outbox) -> None:
    newest = kind("newest", supersedes=True)
    older = sending.write(1, of=newest, about="account:1", key="a")
    newer = sending.write(1, of=newest, about="account:1", key="b")
    with pytest.raises(Refused, match=f"Email {newer.id} about the same thing is newer"):
        resend(sending, older)


def test_a_suppressed_address_is_not_written_to(sending: Outbox) -> None:
    email = put(sending, sending.write(1, address="Ada@example.org"), State.SUPPRESSED)
    sending.suppress("ada@example.org")
    with pytest.raises(Refused, match="it bounced"):
        resend(sending, email)


def test_a_kind_that_is_gone_is_not_sent_again(sending: Outbox) -> None:
    email = put(sending, sending.write(1), State.FAILED, kind="forgotten")
    with pytest.raises(Refused, match="no kind of email named 'forgotten'"):
        resend(sending, email)


def test_releasing_sends_a_held_email_under_its_message_id(sending: Outbox, clock: Clock) -> None:
    email = put(sending, sending.write(1), State.UNKNOWN)
    row = release(sending, email)
    assert (row.state, row.message_id) == ("queued", email.message_id)
    assert row.next_attempt_at == clock.now
    with pytest.raises(Refused, match="its state is queued"):
        release(sending, email)


@pytest.mark.parametrize("state", [State.QUEUED, State.UNKNOWN])
def test_cancelling_ends_what_waits_and_erases_its_secret(sending: Outbox, state: State) -> None:
    email = put(sending, sending.write(1, of=SECRET, attachments=(RECEIPT,)), state)
    row = cancel(sending, email)
    assert (row.state, row.reason, row.has_body) == ("cancelled", "cancelled by a test", False)
    assert attachments(sending) == 0


@pytest.mark.parametrize("state", [State.SENDING, State.SENT, State.CAPTURED])
def test_what_is_no_longer_waiting_cannot_be_cancelled(sending: Outbox, state: State) -> None:
    email = put(sending, sending.write(1), state)
    with pytest.raises(Refused, match=f"is {state}"):
        cancel(sending, email)
    assert sending.row(email).state == state
