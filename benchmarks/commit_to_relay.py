"""How long an email takes from the commit of its transaction to the relay. The machine is idle."""

import time
from dataclasses import replace
from random import Random
from statistics import median, quantiles

from app.mail import Recipient
from app.mail.delivery.worker import Delivery
from benchmarks.databases import Databases
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number

PATIENCE_SECONDS = 10.0
PAUSES = (0.05, 0.3)
"""The least and the most seconds between two emails."""


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure a thread of the server on SQLite, and a worker process that PostgreSQL notifies."""
    count = 5 if quick else 100
    with Sink() as sink, Pillarbox(databases, "SQLite", sink) as ours:
        delivery = Delivery(ours.registry)
        delivery.start()
        try:
            in_process = _waits(ours, sink, count)
        finally:
            delivery.stop(5)
    with (
        Sink() as sink,
        Pillarbox(databases, "PostgreSQL", sink) as ours,
        ours.workers(1) as worker,
    ):
        worker.wait_until_idle()
        notified = _waits(ours, sink, count)
    waits = {"a thread of the server, SQLite": in_process, "a worker, PostgreSQL": notified}
    return Section(
        "From the commit until the relay has the final dot",
        ["median ms", "p95 ms"],
        [
            Line(who, [number(median(taken)), number(quantiles(taken, n=20)[-1])])
            for who, taken in waits.items()
        ],
        "median <= 50 ms",
    )


def _waits(ours: Pillarbox, sink: Sink, count: int) -> list[float]:
    """The milliseconds of each email, after a first email that opens the connection."""
    random, message, waits = Random(1), ours.message(), []
    for sent in range(count + 1):
        time.sleep(random.uniform(*PAUSES))
        # Each email has a recipient of its own, because receipts have a limit for each recipient.
        ours.fill(1, replace(message, to=Recipient(f"buyer{sent}@example.org")))
        committed = time.monotonic()
        sink.wait_for(sent + 1, PATIENCE_SECONDS)
        waits.append((sink.times()[-1] - committed) * 1000)
    return waits[1:]
