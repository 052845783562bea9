"""A process of its own, such as a server or a worker: started, waited for until it is ready, and
ended with the block that needs it.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.waiting import eventually

Process = subprocess.Popen[bytes]


def pillarbox(*arguments: object, setup: str = "") -> list[str]:
    """The command line of ``pillarbox`` with these arguments, in this Python environment. The
    process first runs the statements of ``setup``.
    """
    program = f"{setup}\nfrom app.commands import main\nmain()"
    return [sys.executable, "-c", program, *map(str, arguments)]


def environment() -> dict[str, str]:
    """The environment of a ``pillarbox`` process: PORT would win over the port in the .ini file."""
    return os.environ | {"PORT": ""}


def start(command: Sequence[str], log: Path, *, own_session: bool = False) -> Process:
    """Start a process that appends its output to ``log``. In a session of its own it can be ended
    together with its children.
    """
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdout=output,
            stderr=output,
            env=environment(),
            start_new_session=own_session,
        )


@contextmanager
def running(command: Sequence[str], log: Path, is_ready: Callable[[], bool]) -> Iterator[Process]:
    """The process, as soon as it is ready. It is killed at the end of the block."""
    process = start(command, log)
    try:
        eventually(lambda: process.poll() is not None or is_ready(), what="the process to start")
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        process.kill()
        process.wait()
