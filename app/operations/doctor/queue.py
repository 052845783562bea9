"""What waits in the outbox, and what went wrong in it lately."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from pyramid.registry import Registry
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail.outbox.tables import IS_QUEUED, OutboxEmail, State
from app.operations.doctor.findings import Finding, ok, problem, warning

LATE = timedelta(minutes=5)
VERY_LATE = timedelta(minutes=30)
LATELY = timedelta(days=1)
MOST = 10_000
"""No more emails than these are counted."""
MOST_REASONS = 3
_NOT_WELL = (State.FAILED, State.BOUNCED, State.EXPIRED)


def check(registry: Registry) -> Iterator[Finding]:
    """Yield the findings."""
    ini = registry.settings.get("__file__", "INI")
    now = registry.clock()
    with registry.database.transaction(write=False) as session:
        # An email that the relay deferred waits for its next try, and is not late before that.
        oldest = session.scalar(
            select(func.min(OutboxEmail.next_attempt_at)).where(
                IS_QUEUED, OutboxEmail.next_attempt_at <= now
            )
        )
        waiting = _count(session, OutboxEmail.state == "queued")
        held = _count(session, OutboxEmail.state == "unknown")
        reasons = _reasons(session, now - LATELY)
    late = timedelta(0) if oldest is None else now - oldest
    if late < LATE:
        yield ok(f"{waiting} wait, none is overdue" if waiting else "no emails wait")
    else:
        level = problem if late >= VERY_LATE else warning
        yield level(
            f"{waiting} wait, one of them overdue for {_minutes(late)}",
            "Check that the server runs (email.delivery = in-process), or `pillarbox deliver"
            f" {ini}`, and what it logs.",
        )
    if held:
        yield warning(
            f"{held} in doubt and held for a person",
            f"pillarbox emails {ini} list --state unknown, then release or cancel each.",
        )
    for state, reason, count in reasons:
        yield warning(
            f"{count} emails of the last day {state}: {reason}",
            f"pillarbox emails {ini} list --state {state}",
        )


def _count(session: Session, *conditions: ColumnElement[bool]) -> str:
    """How many emails, in words. Empty when there are none."""
    counted = select(OutboxEmail.id).where(*conditions).limit(MOST + 1)
    number = session.scalar(select(func.count()).select_from(counted.subquery())) or 0
    if number > MOST:
        return f"more than {MOST:,} emails"
    return "1 email" if number == 1 else f"{number:,} emails" if number else ""


def _reasons(session: Session, since: datetime) -> list[tuple[str, str, int]]:
    recent = (
        select(OutboxEmail.state, OutboxEmail.reason)
        .where(OutboxEmail.state.in_(_NOT_WELL), OutboxEmail.created_at > since)
        .limit(MOST)
        .subquery()
    )
    rows = session.execute(
        select(recent.c.state, recent.c.reason, func.count())
        .group_by(recent.c.state, recent.c.reason)
        .order_by(func.count().desc(), recent.c.reason)
        .limit(MOST_REASONS)
    )
    return [(state, reason or "no reason", count) for state, reason, count in rows]


def _minutes(age: timedelta) -> str:
    minutes = round(age.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
