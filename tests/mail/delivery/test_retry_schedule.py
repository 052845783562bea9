"""When a deferred email is tried again. A clock lets two days pass in a moment."""

from datetime import timedelta

import pytest
from pyramid.router import Router

from app.mail import InDoubt
from app.mail.outbox.tables import OutboxEmail
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import DROP, At, Fault
from tests.support.workers import Hire

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
WAITS = [MINUTE, 5 * MINUTE, 15 * MINUTE, HOUR, 3 * HOUR, 6 * HOUR, *[12 * HOUR] * 3]
LATER = "452 4.2.2 mailbox full"


@pytest.fixture
def app(scripted_app: Router) -> Router:
    return scripted_app


def refuse_always(relay: ScriptedSMTP, how: str, at: At = At.RCPT) -> None:
    """Refuse the email in every connection. These tests have one email in each connection."""
    relay.faults = tuple(Fault(at, how, connection=number) for number in range(1, 100))


def waits(outbox: Outbox, email: OutboxEmail, clock: Clock, hire: Hire, app: Router) -> list[float]:
    """The hours that the email waited after each refusal, until it failed."""
    worker, found = hire(app), []
    while (row := outbox.row(email)).state == "queued":
        assert row.next_attempt_at is not None
        found.append((row.next_attempt_at - clock()) / HOUR)
        # One moment before, it is not yet due.
        clock.now = row.next_attempt_at - timedelta(microseconds=1)
        assert worker.run_once() == 0
        clock.now = row.next_attempt_at
        worker.run_once()
    return found[1:]


def test_refusals_are_spread_over_two_days_and_then_it_is_failed(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    email = outbox.write(1, of=kind("secret", carries_secret=True))
    refuse_always(scripted, LATER)
    found = waits(outbox, email, clock, hire, app)
    assert len(found) == len(WAITS)
    for wait, planned in zip(found, WAITS, strict=True):
        assert planned / HOUR <= wait <= planned * 1.1 / HOUR
    row = outbox.row(email)
    assert (row.state, row.attempts, row.has_body) == ("failed", 10, False)
    assert row.reason == f"refused for 48 hours, last: {LATER}"
    assert scripted.connections == 10
    clock.advance(timedelta(days=2))
    assert hire(app).run_once() == 0


def test_refusals_of_the_same_moment_are_not_tried_again_at_the_same_moment(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    emails = [outbox.write(number) for number in range(20)]
    scripted.faults = tuple(Fault(At.RCPT, LATER, time=number) for number in range(1, 21))
    hire(app).run_once()
    due = {outbox.row(email).next_attempt_at for email in emails}
    assert len(due) > 15
    for moment in due:
        assert moment is not None
        assert MINUTE <= moment - clock() <= MINUTE * 1.1


def test_an_email_whose_verdict_is_lost_again_and_again_keeps_one_message_id(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    email = outbox.write(1, of=kind("doubtful", in_doubt=InDoubt.RESEND))
    scripted.faults = tuple(
        Fault(At.DOT, DROP, connection=number, taken=True) for number in range(1, 4)
    )
    waits(outbox, email, clock, hire, app)
    assert outbox.row(email).state == "sent"
    assert scripted.received == [email.message_id] * 4


def test_an_email_that_outlives_its_time_to_live_is_expired_and_not_failed(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    email = outbox.write(1, of=kind("brief", time_to_live=30 * MINUTE, carries_secret=True))
    refuse_always(scripted, LATER)
    found = waits(outbox, email, clock, hire, app)
    assert sum(found) == pytest.approx(0.5)
    row = outbox.row(email)
    assert (row.state, row.attempts, row.has_body) == ("expired", 4, False)
    assert row.attempts == scripted.connections
