"""A handover ends early because the worker stops, or the database or the relay fails."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import Connection, select
from sqlalchemy.exc import OperationalError

from app.database.engine import HeldConnection
from app.mail.delivery import maintenance, relay
from app.mail.delivery.relay import Relay as RelayRow
from app.mail.delivery.relay import RelayProblem
from app.mail.delivery.worker import Delivery
from app.mail.kinds import InDoubt
from app.mail.outbox.claims import LEASE
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.relay import Relay, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At
from tests.support.waiting import eventually
from tests.support.workers import Hire


@pytest.fixture
def relay_name(app: Router) -> str:
    return relay.name_of(app.registry.pillarbox.email)


@contextmanager
def waiting_for_its_verdict(worker: Delivery, relay: Relay) -> Iterator[None]:
    """Within the block, the worker has sent a body, and the relay has not yet replied to it."""
    answer = threading.Event()
    relay.before_verdict = answer.wait
    sending = threading.Thread(target=worker.run_once)
    sending.start()
    assert relay.body_arrived.wait(20)
    yield
    answer.set()
    sending.join(20)


def test_a_worker_that_stops_before_its_probe_leaves_it_to_the_next(
    app: Router,
    outbox: Outbox,
    delivery: Delivery,
    relay_name: str,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    email = outbox.write()
    with app.registry.database.transaction(write=True) as session:
        relay.begin_rest(session.connection(), relay_name, clock(), RelayProblem("it is away"), 0)
    clock.advance(timedelta(seconds=2))

    def stop_as_the_probe_begins(*arguments: object) -> int | None:
        delivery._stopping.set()
        return may_try(*arguments)  # type: ignore[arg-type]

    may_try = relay.may_try
    monkeypatch.setattr(relay, "may_try", stop_as_the_probe_begins)
    with delivery._connection() as connection:
        assert delivery._deliver_batch(connection) == 1
    with app.registry.database.transaction(write=False) as session:
        assert relay.rest(session, relay_name, clock()) is None
    assert (outbox.row(email).state, outbox.row(email).leased_by) == ("queued", None)


@pytest.mark.parametrize("lost", ["the first answer", "the second answer"])
def test_a_commit_whose_answer_is_lost_leaves_no_email_behind(
    outbox: Outbox,
    delivery: Delivery,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    lost: str,
) -> None:
    emails = [outbox.write(number) for number in (1, 2, 3)]
    method = {"the first answer": "transaction", "the second answer": "statement"}[lost]
    original = getattr(HeldConnection, method)
    losses = iter([True])

    @contextmanager
    def unanswered(held: HeldConnection) -> Iterator[Connection]:
        with original(held) as connection:
            yield connection
        if next(losses, False):
            raise OperationalError("COMMIT", {}, Exception("the server closed the connection"))

    monkeypatch.setattr(HeldConnection, method, unanswered)
    with delivery._connection() as connection:
        delivery._deliver_batch(connection)
    assert {outbox.row(email).state for email in emails} <= {"queued", "sent"}
    assert {outbox.row(email).leased_by for email in emails} == {None}
    delivery.run_once()
    assert {outbox.row(email).state for email in emails} == {"sent"}
    assert len(relay.received) == 3
    assert "verdict not saved" not in caplog.text


def test_no_other_connection_takes_an_email_whose_hand_back_got_no_answer(
    outbox: Outbox, delivery: Delivery, relay: Relay, monkeypatch: pytest.MonkeyPatch
) -> None:
    email, original = outbox.write(), HeldConnection.transaction
    losses, answered = iter(["of sending", "of the hand-back"]), threading.Event()
    relay.before_verdict = lambda: answered.wait(20)
    with delivery._connection() as one, delivery._connection() as other:
        sibling = threading.Thread(target=delivery._deliver_batch, args=(other,))

        @contextmanager
        def unanswered(held: HeldConnection) -> Iterator[Connection]:
            with original(held) as connection:
                yield connection
            if loss := next(losses, ""):
                if loss == "of the hand-back":
                    sibling.start()
                    eventually(lambda: relay.body_arrived.is_set() or not sibling.is_alive())
                raise OperationalError("COMMIT", {}, Exception("the server closed the connection"))

        monkeypatch.setattr(HeldConnection, "transaction", unanswered)
        delivery._deliver_batch(one)
        answered.set()
        sibling.join(20)
    delivery.run_once()
    assert outbox.row(email).state == "sent"
    assert len(relay.received) == 1


def test_a_single_delivery_keeps_its_lease_while_the_relay_makes_up_its_mind(
    app: Router,
    outbox: Outbox,
    hire: Hire,
    relay: Relay,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maintenance, "HEARTBEAT_SECONDS", 0.02)
    email = outbox.write(of=kind())
    worker, other = hire(app), hire(app)
    with waiting_for_its_verdict(worker, relay):
        for _ in range(3):
            clock.advance(LEASE / 2)
            eventually(lambda: outbox.row(email).leased_until == clock() + LEASE)
            assert other.run_once() == 0
    assert outbox.row(email).state == "sent"
    assert len(relay.received) == 1


@pytest.mark.parametrize("phase", [At.BANNER, At.EHLO, At.MAIL, At.RCPT, At.DATA])
def test_stopping_counts_neither_against_an_email_nor_against_the_relay(
    make_app: MakeApp,
    settings_values: dict[str, str],
    certificate: Certificate,
    hire: Hire,
    phase: At,
) -> None:
    reached, told = threading.Event(), threading.Event()

    def hold(at: At) -> None:
        if at is phase:
            reached.set()
            assert told.wait(60)

    with ScriptedSMTP(certificate, before=hold) as relay:
        app = make_app(settings_values | through(relay) | {"email.connections": "1"})
        outbox = Outbox(app.registry)
        email = outbox.write(1)
        worker = hire(app)
        worker.start()
        assert reached.wait(20)
        worker.stop(seconds=0.1)
        told.set()
    row = outbox.row(email)
    assert (row.state, row.attempts, row.next_attempt_at) == ("queued", 0, email.next_attempt_at)
    with app.registry.database.transaction(write=False) as session:
        assert session.scalars(select(RelayRow)).all() == []


def test_a_worker_can_be_stopped_twice_started_again_and_run_once_afterwards(
    outbox: Outbox, delivery: Delivery
) -> None:
    delivery.stop()
    delivery.start()
    delivery.stop()
    delivery.stop()
    delivery.start()
    first = outbox.write(1)
    eventually(lambda: outbox.row(first).state == "sent")
    delivery.stop()
    second = outbox.write(2)
    assert delivery.run_once() == 1
    assert outbox.row(second).state == "sent"
    ours = ("maintenance", "heartbeat", "connection-")
    assert [t.name for t in threading.enumerate() if t.name.startswith(ours)] == []


@pytest.mark.parametrize("policy", [InDoubt.RESEND, InDoubt.HOLD])
@pytest.mark.parametrize("more", [False, True], ids=["the last", "amid others"])
def test_a_verdict_that_comes_after_the_email_was_given_up_still_counts(
    app: Router,
    outbox: Outbox,
    hire: Hire,
    relay: Relay,
    clock: Clock,
    policy: InDoubt,
    more: bool,
) -> None:
    email = outbox.write(1, of=kind(in_doubt=policy))
    others = [outbox.write(2)] if more else []
    sleeper, other = hire(app), hire(app)
    with waiting_for_its_verdict(sleeper, relay):
        # Its lease is not renewed, as when its machine sleeps.
        clock.advance(LEASE + timedelta(seconds=1))
        other._maintenance.release_ended_leases(other._maintenance.open_liveness())
        given_up = {InDoubt.RESEND: "queued", InDoubt.HOLD: "unknown"}[policy]
        assert outbox.row(email).state == given_up
    assert outbox.row(email).state == "sent"
    clock.advance(timedelta(hours=1))
    other.run_once()
    assert len(relay.received) == 1 + len(others)
    assert {outbox.row(each).state for each in (email, *others)} == {"sent"}


def test_a_late_verdict_changes_nothing_once_the_email_was_tried_again(
    app: Router, outbox: Outbox, hire: Hire, relay: Relay, clock: Clock
) -> None:
    email = outbox.write(1)
    sleeper, other = hire(app), hire(app)
    with waiting_for_its_verdict(sleeper, relay):
        clock.advance(LEASE + timedelta(seconds=1))
        other._maintenance.release_ended_leases(other._maintenance.open_liveness())
        clock.advance(timedelta(minutes=5))
        relay.before_verdict = lambda: None
        relay.rcpt_replies.append("550 5.1.1 no such user")
        other.run_once()
        assert outbox.row(email).state == "failed"
    assert outbox.row(email).state == "failed"
