"""What the email service counts, and when."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pyramid.router import Router

from app.mail.delivery.maintenance import WITHOUT_VERDICT
from app.mail.erasing import erase_recipient
from app.mail.kinds import InDoubt
from app.mail.metrics import METRICS, begin_series
from app.mail.outbox.claims import LEASE
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import State
from tests.mail.events.test_hearing import about, tell
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind, put
from tests.support.relay import Relay
from tests.support.workers import Hire

Grown = Callable[[], dict[str, float]]


def samples() -> dict[str, float]:
    """Every counter by its name and labels."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in METRICS.collect()
        if family.type == "counter"
        for sample in family.samples
    }


@pytest.fixture
def grown() -> Grown:
    """What was counted since the test began or asked last."""
    before = samples()

    def grown() -> dict[str, float]:
        nonlocal before
        earlier, before = before, samples()
        return {
            name: value - earlier.get(name, 0)
            for name, value in before.items()
            if value != earlier.get(name, 0)
        }

    return grown


def test_a_deferred_email_is_written_once_however_often_it_is_tried(
    sending_app: Router, relay: Relay, hire: Hire, clock: Clock, grown: Grown
) -> None:
    outbox = Outbox(sending_app.registry)
    email = outbox.write(1)
    assert grown() == {"pillarbox_emails_total note queued": 1}
    worker = hire(sending_app)
    for _ in range(3):
        relay.rcpt_replies.append("450 4.7.1 greylisted")
        worker.run_once()
        clock.advance(timedelta(hours=2))
    assert outbox.row(email).state == State.QUEUED
    assert grown() == {"pillarbox_attempts_total note deferred": 3}
    worker.run_once()
    assert grown() == {
        "pillarbox_emails_total note sent": 1,
        "pillarbox_attempts_total note accepted": 1,
    }


def test_a_quota_counts_no_email_as_written_again(
    sending_app: Router, relay: Relay, hire: Hire, grown: Grown
) -> None:
    outbox = Outbox(sending_app.registry)
    email = outbox.write(1)
    grown()
    relay.rcpt_replies.append("452 4.5.3 daily quota exceeded")
    hire(sending_app).run_once()
    assert outbox.row(email).state == State.QUEUED
    assert [name for name in grown() if "emails_total" in name] == []


@pytest.mark.parametrize(
    ("policy", "heard", "state"),
    [
        (InDoubt.HOLD, None, State.UNKNOWN),
        (InDoubt.RESEND, None, State.QUEUED),
        (InDoubt.RESEND, Event.BOUNCED, State.BOUNCED),
        (InDoubt.HOLD, Event.DELIVERED, State.SENT),
    ],
)
def test_the_emails_of_a_dead_worker_are_counted_by_another(
    sending_app: Router,
    hire: Hire,
    clock: Clock,
    grown: Grown,
    policy: InDoubt,
    heard: Event | None,
    state: State,
) -> None:
    outbox = Outbox(sending_app.registry)
    email = outbox.write(1, of=kind(in_doubt=policy))
    lease = {"leased_by": "gone", "leased_until": clock() + LEASE}
    outbox.change(email, state=State.SENDING, heard=heard, **lease)
    clock.advance(LEASE + timedelta(seconds=1))
    grown()
    maintenance = hire(sending_app)._maintenance
    maintenance.release_ended_leases(maintenance.open_liveness())
    assert outbox.row(email).state == state
    counted = {} if state is State.QUEUED else {f"pillarbox_emails_total note {state}": 1}
    outcome = WITHOUT_VERDICT.outcome
    assert grown() == counted | {f"pillarbox_attempts_total note {outcome}": 1}


def test_erasing_counts_what_it_cancels_once_it_is_committed(sending: Outbox, grown: Grown) -> None:
    address = "ada@example.org"
    sending.write(1, address=address)
    put(sending, sending.write(2, address=address), State.UNKNOWN)
    put(sending, sending.write(3, address=address), State.SENT)
    grown()
    with sending.registry.database.transaction(write=True) as session:
        erase_recipient(session, address, 10)
        session.rollback()
    assert grown() == {}
    with sending.registry.database.transaction(write=True) as session:
        erase_recipient(session, address, 10)
    assert grown() == {"pillarbox_emails_total note cancelled": 2}


def test_events_are_counted_once_and_a_bounce_moves_its_email(
    sending: Outbox, grown: Grown
) -> None:
    email = put(sending, sending.write(1), State.SENT)
    grown()
    for event in (Event.DEFERRED, Event.BOUNCED, Event.BOUNCED):
        tell(sending, about(sending, email, event))
    assert grown() == {
        "pillarbox_events_total deferred": 1,
        "pillarbox_events_total bounced": 1,
        "pillarbox_emails_total note bounced": 1,
    }


def test_every_series_of_a_kind_exists_before_its_first_count() -> None:
    begin_series([kind("never_written")])
    assert {name: value for name, value in samples().items() if "never_written" in name} == {
        "pillarbox_emails_total never_written queued": 0,
        "pillarbox_emails_total never_written sent": 0,
        "pillarbox_emails_total never_written failed": 0,
        "pillarbox_emails_total never_written bounced": 0,
        "pillarbox_emails_total never_written unknown": 0,
        "pillarbox_attempts_total never_written accepted": 0,
        "pillarbox_attempts_total never_written refused": 0,
    }
    assert {f"pillarbox_events_total {event}" for event in Event} <= set(samples())
