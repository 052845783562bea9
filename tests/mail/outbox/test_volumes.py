"""Volumes: asked for against accepted and delivered, by kind."""

from datetime import timedelta

from app.mail.outbox.tables import State
from app.mail.outbox.volumes import Counts, Volume, volumes
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind, put


def read(outbox: Outbox) -> list[Volume]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(volumes(session, outbox.registry.clock()).kinds)


def test_each_kind_has_its_counts_of_an_hour_and_of_a_day(sending: Outbox, clock: Clock) -> None:
    clock.advance(-timedelta(hours=30))
    sending.write(1)
    clock.advance(timedelta(hours=25))
    put(sending, sending.write(2), State.BOUNCED, sent_at=clock())
    sending.write(3, of=kind("other"))
    clock.advance(timedelta(hours=5))
    put(sending, sending.write(4), State.SENT, sent_at=clock(), delivered_at=clock())
    put(sending, sending.write(5), State.CAPTURED)
    put(sending, sending.write(6), State.THROTTLED)
    note, other = read(sending)
    assert (note.kind, other.kind) == ("note", "other")
    assert note.hour == Counts(asked=1, accepted=1, delivered=1, missed=0)
    assert note.day == Counts(asked=2, accepted=2, delivered=1, missed=0)
    assert other.hour == Counts(0, 0, 0, 0)
    assert other.day == Counts(asked=1, accepted=0, delivered=0, missed=1)
    assert (note.is_silent, other.is_silent) == (False, True)


def test_an_email_that_has_not_had_its_time_is_no_alarm(sending: Outbox, clock: Clock) -> None:
    sending.write(1)
    clock.advance(timedelta(minutes=9))
    assert [volume.is_silent for volume in read(sending)] == [False]
    clock.advance(timedelta(minutes=1))
    assert [volume.is_silent for volume in read(sending)] == [True]


def test_one_accepted_email_ends_the_alarm(sending: Outbox, clock: Clock) -> None:
    first = sending.write(1)
    sending.write(2)
    clock.advance(timedelta(minutes=20))
    put(sending, first, State.SENT, sent_at=clock())
    assert [volume.is_silent for volume in read(sending)] == [False]


def test_no_more_than_the_newest_emails_are_counted(sending: Outbox, clock: Clock) -> None:
    for number in range(3):
        sending.write(number)
        clock.advance(timedelta(hours=1))
    with sending.registry.database.transaction(write=False) as session:
        capped, whole = (volumes(session, clock(), most) for most in (2, 4))
    assert [volume.day.asked for volume in capped.kinds] == [2]
    assert capped.since == clock() - timedelta(hours=2)
    assert ([volume.day.asked for volume in whole.kinds], whole.since) == ([3], None)
