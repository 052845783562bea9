"""The relay as a whole: how long it rests, and which worker tries it after the rest."""

from datetime import timedelta

import pytest

from app.database.engine import Database
from app.mail.delivery import relay
from app.mail.delivery.relay import RelayProblem
from tests.support.clock import Clock

NAME = "mail.example.org:587"


class Office:
    """What workers do to the relay's row. Each step is a transaction of its own."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    def may_try(self) -> int | None:
        with self._database.transaction(write=True) as session:
            return relay.may_try(session, NAME, self._clock())

    def fail(self, seen: int | None) -> timedelta:
        """Report a failed connection. Returns how long the relay rests from now on."""
        assert seen is not None
        with self._database.transaction(write=True) as session:
            return (
                relay.begin_rest(
                    session.connection(), NAME, self._clock(), RelayProblem("refused"), seen
                )
                - self._clock()
            )

    def succeed(self) -> bool:
        with self._database.transaction(write=True) as session:
            return relay.end_rest(session.connection(), NAME, 100)


@pytest.fixture
def office(plain_database: Database, clock: Clock) -> Office:
    return Office(plain_database, clock)


def test_each_rest_is_twice_the_last_up_to_a_minute(office: Office, clock: Clock) -> None:
    rests = []
    for _ in range(9):
        rests.append(office.fail(office.may_try()))
        clock.advance(rests[-1])
    assert [rest.total_seconds() for rest in rests] == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_workers_that_fail_at_the_same_time_count_as_one_failure(
    office: Office, clock: Clock
) -> None:
    side_by_side = [office.may_try() for _ in range(8)]
    assert {office.fail(seen) for seen in side_by_side} == {timedelta(seconds=1)}
    clock.advance(timedelta(seconds=1))
    assert office.fail(office.may_try()) == timedelta(seconds=2)


def test_no_worker_tries_while_the_relay_rests_and_then_one_probes(
    office: Office, clock: Clock
) -> None:
    office.fail(office.may_try())
    assert office.may_try() is None
    clock.advance(timedelta(seconds=1))
    assert [office.may_try() for _ in range(3)] == [1, None, None]


def test_a_worker_that_dies_while_it_probes_is_replaced_by_another(
    office: Office, clock: Clock
) -> None:
    office.fail(office.may_try())
    clock.advance(timedelta(seconds=1))
    assert office.may_try() == 1
    clock.advance(relay.PROBE)
    assert office.may_try() == 1


def test_every_worker_may_use_a_relay_that_answers_again(office: Office, clock: Clock) -> None:
    for _ in range(5):
        clock.advance(office.fail(office.may_try()))
    assert office.succeed()
    assert [office.may_try() for _ in range(3)] == [0, 0, 0]
    assert not office.succeed()
    assert office.fail(office.may_try()) == timedelta(seconds=1)


def test_a_failure_that_began_before_the_relay_answered_counts_as_the_first(
    office: Office, clock: Clock
) -> None:
    for _ in range(4):
        clock.advance(office.fail(office.may_try()))
    slow = office.may_try()
    office.succeed()
    assert office.fail(slow) == timedelta(seconds=1)
