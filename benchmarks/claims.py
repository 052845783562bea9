"""How long a claim of one batch takes: in an outbox of a thousand sent emails, in one of a million,
and in one where a hundred thousand emails wait.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import median

from sqlalchemy import update

from app.mail.delivery.batch import BATCH
from app.mail.outbox import claims
from app.mail.outbox.tables import OutboxEmail, State
from benchmarks.databases import ENGINES, Databases
from benchmarks.outbox import fill
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio


@dataclass(frozen=True)
class Load:
    """The emails in an outbox besides the batches that are claimed."""

    name: str
    sent: int
    waiting: int


def run(databases: Databases, *, quick: bool) -> Section:
    """Claim batches from all outboxes in turn."""
    few, many, backlog, batches = (100, 2000, 500, 5) if quick else (1000, 1_000_000, 100_000, 200)
    loads = [
        Load(f"{few:,} sent", few, 0),
        Load(f"{many:,} sent", many, 0),
        Load(f"{few:,} sent, {backlog:,} wait", few, backlog),
    ]
    lines = []
    with Sink() as sink:
        for engine in ENGINES:
            with ExitStack() as stack:
                costs: dict[Load, list[float]] = {load: [] for load in loads}
                outboxes = {
                    load: stack.enter_context(Pillarbox(databases, engine, sink)) for load in loads
                }
                for load, ours in outboxes.items():
                    _prepare(ours, load, batches * BATCH)
                for _ in range(batches):
                    for load, ours in outboxes.items():
                        costs[load].append(_claim(ours))
            base = median(costs[loads[0]])
            lines += [
                Line(f"{engine}, {load.name}", [number(cost), ratio(cost / base)])
                for load, cost in ((load, median(taken)) for load, taken in costs.items())
            ]
    return Section(
        f"Claim of {BATCH} emails", ["ms", "ratio"], lines, "<= 1.2 x with 1,000,000 sent"
    )


def _prepare(ours: Pillarbox, load: Load, claimed: int) -> None:
    """Fill an outbox as years do: most emails are sent, and their bodies are erased. The database's
    statistics are older than the emails that wait.
    """
    now, registry, message = datetime.now(UTC), ours.registry, ours.message()
    erased = {"html_body": None, "text_body": None, "next_attempt_at": None, "sent_at": now}
    fill(registry, message, load.sent, key="sent", state=State.SENT, **erased)
    if not registry.database.is_sqlite:
        # Autovacuum would do this a minute later.
        with registry.database.engine.connect() as connection:
            connection.exec_driver_sql("ANALYZE")
    fill(registry, message, claimed, key="queued")
    if load.waiting:
        # The emails that are never claimed are short, to save space on the disk.
        note = replace(message, html="<p>Soon.</p>", text="Soon.")
        fill(registry, note, load.waiting, key="waiting")


def _claim(ours: Pillarbox) -> float:
    """Claim a batch as a worker does, and settle it; the milliseconds of the claim alone."""
    database, now = ours.registry.database, datetime.now(UTC)
    begun = time.perf_counter()
    with database.transaction(write=False) as session:
        assert claims.has_due(session, now)
    with database.transaction(write=True, asynchronous_commit=True) as session:
        claimed = claims.claim(session, "worker", now, BATCH)
    taken = (time.perf_counter() - begun) * 1000
    assert len(claimed) == BATCH
    with database.transaction(write=True, asynchronous_commit=True) as session:
        session.execute(
            update(OutboxEmail)
            .where(OutboxEmail.leased_by == "worker")
            .values(state=State.SENT, leased_by=None, leased_until=None, sent_at=now)
        )
    return taken
