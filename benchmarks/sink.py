"""A relay that takes every email and records only when. ``Sink`` starts it in a process of its own,
``python -m benchmarks.sink_process``, and asks it.
"""

import json
import subprocess
import sys
from typing import Self

from tests.support.certificates import Certificate
from tests.support.waiting import eventually

HUNG = 3600.0
"""A round trip so long that the relay takes connections and never replies."""


class Sink:
    """A relay on this machine.

    ``round_trip`` is the time in seconds to the relay and back. With a ``certificate`` it uses TLS
    from the first octet.
    """

    def __init__(self, *, round_trip: float = 0, certificate: Certificate | None = None) -> None:
        self._command = [sys.executable, "-m", "benchmarks.sink_process", str(round_trip)]
        if certificate is not None:
            self._command += [str(certificate.certificate), str(certificate.key)]
        self.certificate = certificate
        self.port = 0

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.port = int(self._answer())
        return self

    def __exit__(self, *_: object) -> None:
        # The process ends with its input, so it never outlives this one.
        with self._process:
            pass

    def count(self) -> int:
        """How many emails it has taken since the last ``forget``."""
        return int(self._ask("count"))

    def times(self) -> list[float]:
        """When the final dot of each email arrived, by ``time.monotonic``, which is the same for
        all processes of a machine.
        """
        return [float(moment) for moment in json.loads(self._ask("times"))]

    def forget(self) -> None:
        """Forget the emails so far."""
        self._ask("forget")

    def wait_for(self, count: int, seconds: float) -> None:
        """Wait until it has taken ``count`` emails; raises ``TimeoutError`` after ``seconds``."""
        eventually(lambda: self.count() >= count, seconds, f"{count} emails to arrive")

    def _ask(self, question: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()
