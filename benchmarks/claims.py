"""What claiming a batch costs with a thousand and with a million emails that were sent before."""

import time
from contextlib import ExitStack
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import update

from app.mail import outbox
from app.mail.delivery import BATCH
from app.mail.tables import OutboxEmail, State
from benchmarks.databases import ENGINES, Databases
from benchmarks.outbox import fill
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio


def run(databases: Databases, *, quick: bool) -> Section:
    """Batches are claimed from both outboxes in turn."""
    few, many, batches = (100, 2000, 5) if quick else (1000, 1_000_000, 200)
    lines = []
    with Sink() as sink:
        for engine in ENGINES:
            with ExitStack() as stack:
                outboxes = {
                    sent: stack.enter_context(Pillarbox(databases, engine, sink))
                    for sent in (few, many)
                }
                costs: dict[int, list[float]] = {sent: [] for sent in outboxes}
                for sent, ours in outboxes.items():
                    _prepare(ours, sent, batches * BATCH)
                for _ in range(batches):
                    for sent, ours in outboxes.items():
                        costs[sent].append(_claim(ours))
            base = median(costs[few])
            lines += [
                Line(f"{engine}, {sent:,} sent", [number(cost), ratio(cost / base)])
                for sent, cost in ((sent, median(taken)) for sent, taken in costs.items())
            ]
    return Section(
        f"Claim of {BATCH} emails", ["ms", "ratio"], lines, "<= 1.2 x with 1,000,000 sent"
    )


def _prepare(ours: Pillarbox, sent: int, queued: int) -> None:
    """As after years: most were sent, and their bodies are erased."""
    now, registry = datetime.now(UTC), ours.registry
    erased = {"html_body": None, "text_body": None, "next_attempt_at": None, "sent_at": now}
    fill(registry, ours.message(), sent, key="sent", state=State.SENT, **erased)
    fill(registry, ours.message(), queued, key="queued")
    if not registry.database.is_sqlite:
        # Autovacuum would, a minute later.
        with registry.database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")


def _claim(ours: Pillarbox) -> float:
    """Claim a batch as a worker does, and settle it; the milliseconds of the claim alone."""
    database, now = ours.registry.database, datetime.now(UTC)
    begun = time.perf_counter()
    with database.transaction(write=False) as session:
        assert outbox.has_due(session, now)
    with database.transaction(write=True, hasty=True) as session:
        claimed = outbox.claim(session, "worker", now, BATCH)
    taken = (time.perf_counter() - begun) * 1000
    assert len(claimed) == BATCH
    with database.transaction(write=True, hasty=True) as session:
        session.execute(
            update(OutboxEmail)
            .where(OutboxEmail.leased_by == "worker")
            .values(state=State.SENT, leased_by=None, leased_until=None, sent_at=now)
        )
    return taken
