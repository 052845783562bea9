"""From the queue to a relay 20 ms away, over TLS and with a login: round trips take most time."""

import time

from app.mail import Message
from benchmarks import tutorial
from benchmarks.databases import Databases
from benchmarks.delivery import measure
from benchmarks.pillarbox import Pillarbox
from benchmarks.sink import Sink
from benchmarks.table import Line, Section, number, ratio
from tests.support.certificates import issue

ROUND_TRIP = 0.020


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure one worker with one and with two connections, then a connection for each email."""
    count = 20 if quick else 300
    speeds: dict[str, float] = {}
    certificate = issue(databases.folder, "relay", "127.0.0.1")
    with Sink(round_trip=ROUND_TRIP, certificate=certificate) as sink:
        for connections in (1, 2):
            with Pillarbox(databases, "SQLite", sink, connections=connections) as ours:
                message = ours.message()
                who = f"{ours.who}, {connections} kept connection{'s' * (connections - 1)}"
                speeds[who] = measure(ours, 1, sink, count).emails_per_second
        begun, count = time.monotonic(), count // 10
        for _ in range(count):
            _send(sink, str(certificate.ca), message)
        alone = speeds["smtplib, a new connection for each email"] = count / (
            time.monotonic() - begun
        )
    return Section(
        "From queue to a relay 20 ms away, TLS and login",
        ["emails/s", "ratio"],
        [Line(who, [number(speed), ratio(speed / alone)]) for who, speed in speeds.items()],
        "emails do not wait for a round trip each",
    )


def _send(sink: Sink, ca_file: str, message: Message) -> None:
    tutorial.send(
        sink.port,
        message.to.address,
        message.subject,
        message.text or "",
        message.html or "",
        ca_file,
    )
