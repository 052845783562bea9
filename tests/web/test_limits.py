"""Limits on what one browser may do within a period."""

from datetime import timedelta

from pyramid.router import Router
from sqlalchemy import select

from app.web.limits import Limit, LimitUse, use
from tests.support.at_once import at_once
from tests.support.clock import Clock
from tests.support.rows import count

MINUTE = timedelta(minutes=1)
TWICE = Limit("twice", 2, 10 * MINUTE)


def test_what_is_over_the_limit_waits_until_the_oldest_use_is_over(
    app: Router, clock: Clock
) -> None:
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
    assert use(registry, TWICE, "ada", clock()) == 4 * MINUTE


def test_uses_at_once_do_not_pass_the_limit(app: Router, clock: Clock) -> None:
    waits = at_once(lambda _: use(app.registry, TWICE, "ada", clock()), range(6))
    assert sorted(wait is None for wait in waits) == [False] * 4 + [True] * 2


def test_uses_are_forgotten_after_the_period(app: Router, clock: Clock) -> None:
    for who in ("ada", "bob"):
        use(app.registry, TWICE, who, clock())
    clock.advance(10 * MINUTE)
    use(app.registry, TWICE, "eve", clock())
    assert count(app.registry.database, LimitUse) == 1


def test_a_clock_that_was_ahead_holds_nobody_back(app: Router, clock: Clock) -> None:
    now = clock()
    for ahead in (timedelta(days=30), timedelta(days=30), 5 * MINUTE):
        use(app.registry, TWICE, "ada", now + ahead)
    assert use(app.registry, TWICE, "ada", now) is None
    wait = use(app.registry, TWICE, "ada", now)
    assert wait is not None
    assert wait <= TWICE.period
    with app.registry.database.transaction(write=False) as session:
        assert max(session.scalars(select(LimitUse.used_at))) <= now + TWICE.period
