"""How much memory a worker process uses after a thousand emails, and after a hundred thousand."""

from dataclasses import replace

from benchmarks.databases import ENGINES, Databases
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio

FILLING = 5000
"""How many emails are queued at a time, so that the outbox stays small."""
PATIENCE_SECONDS = 120.0


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure while small emails are delivered."""
    few, many = (100, 500) if quick else (1000, 100_000)
    lines = []
    for engine in ENGINES:
        with Sink() as sink, Pillarbox(databases, engine, sink) as ours, ours.workers(1) as worker:
            message = replace(ours.message(), html="<p>Hello</p>", text="Hello\n")
            sizes: dict[int, float] = {}
            sent = 0
            while sent < many:
                filling = min(FILLING, many - sent) if sent else few
                ours.fill(filling, message)
                sent += filling
                sink.wait_for(sent, PATIENCE_SECONDS)
                sizes[sent] = worker.memory() / 2**20
        lines += [
            Line(
                f"{engine}, after {sent:,}", [number(sizes[sent]), ratio(sizes[sent] / sizes[few])]
            )
            for sent in (few, many)
        ]
    return Section("Memory of a worker", ["MB", "ratio"], lines, "<= 1.1 x after 100,000")
