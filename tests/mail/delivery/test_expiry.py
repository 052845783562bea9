"""What a worker does beside delivering: it ends expired emails and erases old bodies."""

from datetime import timedelta

import pytest

from app.mail import Recipient
from app.mail.delivery import expiry
from app.mail.delivery.expiry import Expiry
from app.mail.delivery.worker import Delivery
from app.mail.outbox.claims import claim
from app.mail.outbox.tables import UNDER_WAY, State
from tests.support.clock import Clock
from tests.support.outbox import RECEIPT, Outbox, attachments, kind, put
from tests.support.waiting import eventually


@pytest.fixture
def tasks(sending: Outbox) -> Expiry:
    registry = sending.registry
    return Expiry(registry.database, registry.pillarbox.email, registry.email_kinds, registry.clock)


def test_bodies_and_attachments_go_after_the_retention_and_the_rest_stays(
    sending: Outbox, tasks: Expiry, clock: Clock
) -> None:
    states = [State.SENT, State.FAILED, State.CAPTURED, State.CANCELLED]
    emails = [
        put(sending, sending.write(number, attachments=(RECEIPT,)), state)
        for number, state in enumerate(states)
    ]
    clock.advance(timedelta(days=30))
    assert tasks.purge() == 0
    clock.advance(timedelta(seconds=1))
    young = put(sending, sending.write(9), State.SENT)
    assert tasks.purge() == len(states)
    assert attachments(sending) == 0
    for email, state in zip(emails, states, strict=True):
        row = sending.row(email)
        assert (row.has_body, row.state, row.subject) == (False, state, email.subject)
    assert sending.row(young).has_body


@pytest.mark.parametrize("state", UNDER_WAY)
def test_what_is_under_way_is_never_erased(
    sending: Outbox, tasks: Expiry, clock: Clock, state: State
) -> None:
    email = put(sending, sending.write(1, attachments=(RECEIPT,)), state)
    clock.advance(timedelta(days=400))
    assert tasks.purge() == 0
    assert sending.row(email).has_body
    assert attachments(sending) == 1


def test_more_than_a_batch_is_erased_batch_by_batch(
    sending: Outbox, tasks: Expiry, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", 2)
    emails = [put(sending, sending.write(number), State.SENT) for number in range(5)]
    clock.advance(timedelta(days=31))
    tasks.run_due_tasks()
    assert [sending.row(email).has_body for email in emails].count(False) == 2
    tasks.run_due_tasks()
    assert [sending.row(email).has_body for email in emails].count(False) == 4
    tasks.run_due_tasks()
    assert [sending.row(email).has_body for email in emails].count(False) == 5


def test_what_expires_while_the_relay_rests_is_expired_all_the_same(
    sending: Outbox, tasks: Expiry, clock: Clock
) -> None:
    brief = {"time_to_live": timedelta(minutes=30)}
    secret = sending.write(1, of=kind("secret", carries_secret=True, **brief))
    note = sending.write(2, of=kind("brief", **brief), attachments=(RECEIPT,))
    lasting = sending.write(3)
    clock.advance(timedelta(minutes=30))
    tasks.run_due_tasks()
    assert [sending.row(email).state for email in (secret, note, lasting)] == [
        "expired",
        "expired",
        "queued",
    ]
    assert not sending.row(secret).has_body
    assert sending.row(note).has_body
    assert attachments(sending) == 1


def test_a_leased_email_is_left_to_its_worker(sending: Outbox, tasks: Expiry, clock: Clock) -> None:
    email = sending.write(1, of=kind("brief", time_to_live=timedelta(seconds=10)))
    with sending.registry.database.transaction(write=True) as session:
        assert claim(session, "lease-1", clock(), 1)
    clock.advance(timedelta(seconds=20))
    tasks.run_due_tasks()
    assert sending.row(email).state == "queued"


def test_a_running_worker_erases_old_bodies_by_itself(sending: Outbox, clock: Clock) -> None:
    email = put(sending, sending.write(1, to=Recipient("ada@example.org")), State.SENT)
    clock.advance(timedelta(days=31))
    worker = Delivery(sending.registry)
    worker.start()
    eventually(lambda: not sending.row(email).has_body)
    worker.stop()
