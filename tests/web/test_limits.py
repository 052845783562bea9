"""Limits on what one browser may do within a period."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.mail.delivery.worker import Delivery
from app.web import limits
from app.web.limits import Limit, RateLimit, use
from tests.support.at_once import at_once
from tests.support.clock import Clock
from tests.support.rows import count

MINUTE = timedelta(minutes=1)
TWICE = Limit("twice", 2, 10 * MINUTE)


def test_what_is_over_the_limit_waits_until_the_period_is_over(app: Router, clock: Clock) -> None:
    registry = app.registry
    assert use(registry, TWICE, "ada", clock()) is None
    clock.advance(4 * MINUTE)
    assert use(registry, TWICE, "ada", clock()) is None
    assert use(registry, TWICE, "ada", clock()) == 6 * MINUTE
    # Somebody else, and another limit, are not held back.
    assert use(registry, TWICE, "bob", clock()) is None
    assert use(registry, Limit("once", 1, MINUTE), "ada", clock()) is None
    clock.advance(6 * MINUTE)
    assert use(registry, TWICE, "ada", clock()) is None
    assert use(registry, TWICE, "ada", clock()) is None
    assert use(registry, TWICE, "ada", clock()) == 10 * MINUTE


def test_after_the_limit_one_use_a_minute_is_allowed(app: Router, clock: Clock) -> None:
    limit = Limit("slowly", 2, 10 * MINUTE, then=MINUTE)

    def waits(uses: int) -> list[timedelta | None]:
        return [use(app.registry, limit, "ada", clock()) for _ in range(uses)]

    assert waits(4) == [None, None, MINUTE, MINUTE]
    clock.advance(MINUTE)
    assert waits(3) == [None, MINUTE, MINUTE]
    clock.advance(9 * MINUTE)
    assert waits(3) == [None, None, MINUTE]


def test_uses_at_once_do_not_pass_the_limit(app: Router, clock: Clock) -> None:
    limit = Limit("ten", 10, MINUTE, then=MINUTE)
    waits = at_once(lambda _: use(app.registry, limit, "ada", clock()), range(30))
    assert sum(wait is None for wait in waits) == 10


def test_a_use_can_be_given_back_and_a_count_forgotten(app: Router, clock: Clock) -> None:
    registry = app.registry
    for _ in range(3):
        use(registry, TWICE, "ada", clock())
    limits.clear(registry, forget=[(TWICE, "ada")])
    assert use(registry, TWICE, "ada", clock()) is None
    assert use(registry, TWICE, "ada", clock()) is None
    limits.clear(registry, give_back=[(TWICE, "ada")])
    assert use(registry, TWICE, "ada", clock()) is None
    assert use(registry, TWICE, "ada", clock()) == 10 * MINUTE


def test_the_table_does_not_say_who_used_a_limit(app: Router, clock: Clock) -> None:
    use(app.registry, TWICE, "ada@example.org", clock())
    with app.registry.database.transaction(write=False) as session:
        (key,) = session.scalars(select(RateLimit.key))
    assert "ada" not in key


def test_housekeeping_deletes_counts_whose_period_is_over(
    app: Router, delivery: Delivery, clock: Clock
) -> None:
    use(app.registry, TWICE, "ada", clock())
    clock.advance(5 * MINUTE)
    use(app.registry, TWICE, "bob", clock())
    clock.advance(5 * MINUTE)
    delivery._maintenance.expiry.run_due_tasks()
    assert count(app.registry.database, RateLimit) == 1


def database_away(registry: object) -> object:
    raise OperationalError("", {}, Exception("the database is away"))


def test_without_the_database_the_process_counts_for_itself(
    app: Router, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "_counting", database_away)
    waits = at_once(lambda _: use(app.registry, TWICE, "ada", clock()), range(6))
    assert sum(wait is None for wait in waits) == 2
    for number in range(limits._InProcess.MOST_KEYS + 5):
        use_in_process = app.registry.limits_without_database.count
        use_in_process(str(number), MINUTE, clock())
    assert len(app.registry.limits_without_database._counts) <= limits._InProcess.MOST_KEYS + 1


def test_a_clock_that_was_ahead_holds_nobody_back(app: Router, clock: Clock) -> None:
    now = clock()
    for ahead in (timedelta(days=30), timedelta(days=30), 5 * MINUTE):
        use(app.registry, TWICE, "ada", now + ahead)
    assert use(app.registry, TWICE, "ada", now) is None
