"""How long it takes to send ten thousand emails again: those that failed, which return to the
queue, and those that were sent, of which copies are written.
"""

import time
from datetime import UTC, datetime

from app.mail.outbox.batches import Act
from app.mail.outbox.many import ManyDecisions, look
from app.mail.outbox.search import Filter
from app.mail.outbox.tables import State
from app.staff.many_actions import KeptAction, target_of
from benchmarks.databases import ENGINES, Databases
from benchmarks.outbox import fill
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number


def run(databases: Databases, *, quick: bool) -> Section:
    """Resend all emails that a filter finds, on both engines."""
    count = 300 if quick else 10_000
    lines = []
    with Sink() as sink:
        for engine in ENGINES:
            for state in (State.FAILED, State.SENT):
                with Pillarbox(databases, engine, sink) as ours:
                    seconds, longest = _resend(ours, state, count)
                figures = [number(seconds), number(longest * 1000)]
                lines.append(Line(f"{engine}, {count:,} that are {state}", figures))
    return Section(
        "Resend all emails that a filter finds", ["s", "batch ms"], lines, "10,000 in <= 30 s"
    )


def _resend(ours: Pillarbox, state: State, count: int) -> tuple[float, float]:
    """The seconds for all of them, and for the slowest batch."""
    registry = ours.registry
    reason = "550 5.4.5 quota reached" if state is State.FAILED else None
    settled = {"next_attempt_at": None, "created_at": datetime.now(UTC), "reason": reason}
    fill(registry, ours.message(), count + 1, key="old", state=state, **settled)
    filter = Filter(state=state)
    with registry.database.transaction(write=False) as session:
        newest = look(session, filter).newest_id
    many = ManyDecisions.of(registry)
    done, longest = 0, 0.0
    begun = last = time.perf_counter()
    kept = KeptAction(
        Act.RESEND, target_of(filter), registry.clock, staff_id=None, request_id="", by="benchmark"
    )
    for batch in many.run(Act.RESEND, filter, newest=newest, by="", note=kept.note):
        done += batch.done
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
    assert done == count
    return last - begun, longest
