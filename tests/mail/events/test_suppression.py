"""Suppression begins with a bounce or a complaint, gets longer, and ends by itself."""

from datetime import timedelta
from itertools import permutations

import pytest

from app.mail.events import suppression
from app.mail.events.suppression import is_hard
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress
from tests.mail.events.test_hearing import about, sent, tell
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, put

ADDRESS = "customer1@example.org"
DAY = timedelta(days=1)


def suppressed(outbox: Outbox) -> SuppressedAddress | None:
    with outbox.registry.database.transaction(write=False) as session:
        return session.get(SuppressedAddress, ADDRESS)


def another(outbox: Outbox, key: str) -> OutboxEmail:
    return outbox.write(1, key=key)


@pytest.mark.parametrize(
    ("code", "says_service", "hard"),
    [
        ("5.1.1", False, True),
        ("5.1.3", False, True),
        ("5.1.6", False, True),
        ("5.4.4", False, True),
        ("5.2.2", False, False),
        ("4.4.7", False, False),
        (None, True, True),
        ("5.0.0", True, True),
        ("5.7.1", True, False),
        ("5.7.26", False, False),
        (None, False, False),
    ],
)
def test_what_counts_as_hard(code: str | None, says_service: bool, hard: bool) -> None:
    assert is_hard(code, says_service=says_service) is hard


def test_hard_bounces_suppress_for_longer_each_time(sending: Outbox, clock: Clock) -> None:
    for turn, days in enumerate((1, 7, 30, 30)):
        email = another(sending, f"note:{turn}")
        assert email.state == State.QUEUED
        tell(sending, about(sending, email, Event.BOUNCED, code="5.1.1"))
        row = suppressed(sending)
        assert row is not None
        assert (row.until - clock(), row.email_id) == (days * DAY, email.id)
        held_back = another(sending, f"held:{turn}")
        assert (held_back.state, held_back.reason) == (State.SUPPRESSED, row.reason)
        clock.advance(days * DAY)


@on_sqlite
@pytest.mark.parametrize("code", ["5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"])
def test_each_hard_code_suppresses_at_the_first_bounce(
    sending: Outbox, clock: Clock, code: str
) -> None:
    tell(sending, about(sending, sent(sending), Event.BOUNCED, code=code))
    row = suppressed(sending)
    assert row is not None
    assert (row.until - clock(), row.code) == (DAY, code)


def test_bounces_of_emails_sent_at_once_count_as_one(sending: Outbox, clock: Clock) -> None:
    for key in ("a", "b"):
        email = another(sending, key)
        sending.change(email, state=State.SENT)
    for email_id in (1, 2):
        row = OutboxEmail(id=email_id)
        tell(sending, about(sending, row, Event.BOUNCED, code="5.1.1"))
    row = suppressed(sending)
    assert row is not None
    assert (row.until - clock(), row.bounces) == (DAY, 1)


def test_an_email_that_is_delivered_ends_it(sending: Outbox, clock: Clock) -> None:
    first, second = sent(sending), another(sending, "second")
    tell(sending, about(sending, first, Event.BOUNCED, code="5.1.1"))
    tell(sending, about(sending, second, Event.DELIVERED))
    assert suppressed(sending) is None


def test_the_email_that_bounced_does_not_end_it(sending: Outbox) -> None:
    email = sent(sending)
    tell(sending, about(sending, email, Event.BOUNCED, code="5.1.1"))
    tell(sending, about(sending, email, Event.DELIVERED))
    assert suppressed(sending) is not None


def test_the_third_soft_bounce_in_a_week_suppresses_for_a_day(
    sending: Outbox, clock: Clock
) -> None:
    for turn in range(3):
        assert suppressed(sending) is None
        email = another(sending, f"note:{turn}")
        tell(sending, about(sending, email, Event.BOUNCED, code="4.4.7"))
        clock.advance(DAY)
    row = suppressed(sending)
    assert row is not None
    assert row.until == clock()


def test_soft_bounces_of_different_weeks_suppress_nothing(sending: Outbox, clock: Clock) -> None:
    for turn in range(3):
        tell(sending, about(sending, another(sending, f"{turn}"), Event.BOUNCED, code="5.2.2"))
        clock.advance(4 * DAY)
    assert suppressed(sending) is None


def test_a_complaint_suppresses_for_30_days(sending: Outbox, clock: Clock) -> None:
    tell(sending, about(sending, sent(sending), Event.COMPLAINED))
    row = suppressed(sending)
    assert row is not None
    assert row.until - clock() == 30 * DAY


def test_what_is_about_us_suppresses_nothing(sending: Outbox) -> None:
    for turn in range(4):
        email = another(sending, f"note:{turn}")
        tell(sending, about(sending, email, Event.BOUNCED, code="5.7.1", is_hard=True))
    assert suppressed(sending) is None


def test_an_email_delivered_before_the_suppression_began_does_not_end_it(
    sending: Outbox, clock: Clock
) -> None:
    first, second = sent(sending), another(sending, "second")
    delivered_at = clock()
    clock.advance(timedelta(minutes=5))
    tell(sending, about(sending, second, Event.BOUNCED, code="5.1.1"))
    tell(sending, about(sending, first, Event.DELIVERED, at=delivered_at))
    assert suppressed(sending) is not None


@pytest.mark.parametrize("order", list(permutations([Event.COMPLAINED, Event.DELIVERED])))
def test_no_delivery_ends_the_suppression_after_a_complaint(
    sending: Outbox, order: list[Event], clock: Clock
) -> None:
    first, second = sent(sending), another(sending, "second")
    for event in order:
        tell(sending, about(sending, first, event))
    tell(sending, about(sending, second, Event.DELIVERED))
    assert suppressed(sending) is not None
    clock.advance(30 * DAY)
    tell(sending, about(sending, another(sending, "third"), Event.DELIVERED))
    assert suppressed(sending) is None


def test_a_bounce_of_an_email_from_before_counts_no_second_time(
    sending: Outbox, clock: Clock
) -> None:
    """A server may try for days before it gives an email up."""
    first, second = sent(sending), put(sending, another(sending, "b"), State.SENT, sent_at=clock())
    tell(sending, about(sending, first, Event.BOUNCED, code="5.1.1"))
    clock.advance(2 * DAY)
    tell(sending, about(sending, second, Event.BOUNCED, code="5.4.4"))
    row = suppressed(sending)
    assert row is not None
    assert (row.bounces, row.code) == (1, "5.1.1")
    assert row.until < clock()


def test_a_hard_bounce_counts_while_a_soft_one_suppresses(sending: Outbox, clock: Clock) -> None:
    for turn in range(3):
        tell(sending, about(sending, another(sending, f"{turn}"), Event.BOUNCED, code="5.2.2"))
    last = put(sending, sending.write(2), State.SENT, recipient_key=ADDRESS)
    clock.advance(timedelta(hours=1))
    tell(sending, about(sending, last, Event.BOUNCED, code="5.1.1"))
    row = suppressed(sending)
    assert row is not None
    assert (row.until - clock(), row.bounces, row.code) == (DAY, 1, "5.1.1")


def test_only_soft_bounces_of_different_emails_that_are_not_about_us_count(
    sending: Outbox,
) -> None:
    codes = [("5.2.2", "a"), ("5.2.2", "a"), ("4.7.1", "b"), ("5.7.1", "c"), (None, "d")]
    for number, (code, key) in enumerate(codes):
        email = another(sending, key)
        sending.change(email, state=State.SENT)
        event = about(sending, email, Event.BOUNCED, code=code, source_id=f"{number}")
        tell(sending, event)
        assert suppressed(sending) is None
    tell(sending, about(sending, another(sending, "e"), Event.BOUNCED, code="4.4.7"))
    assert suppressed(sending) is not None


def test_after_another_try_the_next_bounce_suppresses_for_longer(
    sending: Outbox, clock: Clock
) -> None:
    tell(sending, about(sending, sent(sending), Event.BOUNCED, code="5.1.1"))
    clock.advance(timedelta(hours=1))
    with sending.registry.database.transaction(write=True) as session:
        suppression.try_again(session, ADDRESS, clock())
    email = another(sending, "second")
    assert email.state == State.QUEUED
    clock.advance(timedelta(minutes=1))
    tell(sending, about(sending, email, Event.BOUNCED, code="5.1.1"))
    row = suppressed(sending)
    assert row is not None
    assert (row.until - clock(), row.bounces) == (7 * DAY, 2)


def test_a_suppression_is_forgotten_180_days_after_its_end(sending: Outbox, clock: Clock) -> None:
    tell(sending, about(sending, sent(sending), Event.BOUNCED, code="5.1.1"))
    sweep = sending.registry.housekeeping["old suppressions deleted"]
    for days, left in ((181, True), (1, False)):
        clock.advance(days * DAY)
        with sending.registry.database.transaction(write=True) as session:
            sweep(session, clock(), 100)
        assert (suppressed(sending) is not None) is left
