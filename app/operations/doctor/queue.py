"""What waits in the outbox, and what went wrong in it lately."""

from collections.abc import Iterator
from datetime import timedelta

from pyramid.registry import Registry

from app.mail.outbox.tables import State
from app.mail.outbox.volumes import longest_overdue, reasons, waiting
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
        counts = waiting(session, MOST + 1)
        late = longest_overdue(session, now)
        why = reasons(session, now - LATELY, _NOT_WELL, MOST)[:MOST_REASONS]
    queued, held = _emails(counts[State.QUEUED]), _emails(counts[State.UNKNOWN])
    wait = f"{queued} {'waits' if counts[State.QUEUED] == 1 else 'wait'}"
    if late < LATE:
        yield ok(f"{wait}, none is overdue" if queued else "no emails wait")
    else:
        level = problem if late >= VERY_LATE else warning
        yield level(
            f"{wait}, one of them overdue for {_minutes(late)}",
            "Check that the server runs (email.delivery = in-process), or `pillarbox deliver"
            f" {ini}`, and what it logs.",
        )
    if held:
        yield warning(
            f"{held} in doubt and held for a person",
            f"pillarbox emails {ini} list --state unknown, then release or cancel each.",
        )
    for state, reason, count in why:
        yield warning(
            f"{_emails(count)} of the last day {state}: {reason}",
            f"pillarbox emails {ini} list --state {state}",
        )


def _emails(number: int) -> str:
    """How many emails, in words. Empty when there are none."""
    if number > MOST:
        return f"more than {MOST:,} emails"
    return "1 email" if number == 1 else f"{number:,} emails" if number else ""


def _minutes(age: timedelta) -> str:
    minutes = round(age.total_seconds() / 60)
    return f"{minutes} minutes" if minutes < 120 else f"{minutes // 60} hours"
