"""From the queue to a relay on the same machine: emails per second, and the workers' processor time
for each email.
"""

from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from benchmarks.databases import ENGINES, Databases
from benchmarks.peers import NAMES, Peer, is_installed, redis
from benchmarks.pillarbox import Pillarbox
from benchmarks.processes import Processes
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio

PATIENCE_SECONDS = 120.0
WARM_UP = 0.1
"""The share of the emails that are delivered before the measurement begins."""


class Contender(Protocol):
    """A queue, and the workers that deliver from it to the sink."""

    who: str

    def workers(self, number: int) -> Processes: ...

    def fill(self, count: int) -> None: ...


@dataclass(frozen=True)
class Pace:
    """How fast a queue was emptied, and how much processor time an email took."""

    emails_per_second: float
    cpu_ms: float


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure every contender with one and with two worker processes, in turn, round after round.
    The email is a receipt of 20 lines.
    """
    rounds, count = (1, 30) if quick else (3, 2000)
    with Sink() as sink, ExitStack() as stack:
        ours = [stack.enter_context(Pillarbox(databases, engine, sink)) for engine in ENGINES]
        contenders: list[Contender] = [*ours]
        missing = [name for name in NAMES if not is_installed(name)]
        if len(missing) < len(NAMES):
            stack.enter_context(redis(databases.folder))
        message = ours[0].message()
        contenders += [
            Peer(name, databases.folder, sink, message) for name in NAMES if name not in missing
        ]
        paces: dict[tuple[str, int], list[Pace]] = {}
        for _ in range(rounds):
            for contender in contenders:
                for workers in (1, 2):
                    pace = measure(contender, workers, sink, count)
                    paces.setdefault((contender.who, workers), []).append(pace)
    return Section(
        "From queue to a relay on this machine: a receipt of 20 lines",
        ["emails/s", "CPU ms", "vs. Celery"],
        [
            *(_line(who, workers, paces) for who, workers in paces),
            *(Line(f"{name} or redis-server is not installed", ["-"] * 3) for name in missing),
        ],
        "4 x the emails/s of Celery with as many workers",
    )


def measure(contender: Contender, workers: int, sink: Sink, count: int) -> Pace:
    """Fill the queue while the workers are paused, then measure how they empty it."""
    sink.forget()
    with contender.workers(workers) as processes:
        processes.wait_until_idle()
        processes.pause()
        contender.fill(count)
        processes.resume()
        sink.wait_for(int(count * WARM_UP), PATIENCE_SECONDS)
        spent, first = processes.cpu_seconds(), sink.count()
        sink.wait_for(count, PATIENCE_SECONDS)
        spent = processes.cpu_seconds() - spent
    times = sink.times()
    assert len(times) == count, f"{len(times)} of {count} emails"
    rest = count - first
    return Pace(rest / (times[-1] - times[first - 1]), spent / rest * 1000)


def _line(who: str, workers: int, paces: dict[tuple[str, int], list[Pace]]) -> Line:
    def speed(of: str) -> float:
        return median(pace.emails_per_second for pace in paces[of, workers])

    celery = "Celery on Redis"
    compared = ratio(speed(who) / speed(celery)) if (celery, workers) in paces else "-"
    cpu = median(pace.cpu_ms for pace in paces[who, workers])
    processes = "1 worker" if workers == 1 else f"{workers} workers"
    return Line(f"{who}, {processes}", [number(speed(who)), number(cpu), compared])
