"""Peers: task queues with which many applications send their email. They run on a Redis of the
benchmark's own.
"""

import os
import shutil
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from app.mail import Message
from benchmarks.processes import Processes
from benchmarks.sink import Sink
from tests.support.waiting import eventually

NAMES = ("celery", "dramatiq")
CONNECTIONS = 2
"""Threads of a Dramatiq process, as many as the connections of a Pillarbox worker."""


class Peer:
    """A queue of tasks. ``name`` is its package; its task stands in ``<name>_tasks.py``."""

    def __init__(self, name: str, folder: Path, sink: Sink, message: Message) -> None:
        self.who = f"{name.title()} on Redis"
        self._name = name
        self._log = folder / f"{name}.log"
        self._arguments = {
            "port": sink.port,
            "recipient": message.to.address,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
        }

    def workers(self, number: int) -> Processes:
        """So many worker processes, which are not started yet."""
        module = f"benchmarks.{self._name}_tasks"
        options = {
            "celery": ["-A", module, "worker", f"--concurrency={number}", "--loglevel=WARNING"],
            "dramatiq": [module, f"--processes={number}", f"--threads={CONNECTIONS}"],
        }
        return Processes([sys.executable, "-m", self._name, *options[self._name]], log=self._log)

    def fill(self, count: int) -> None:
        """Queue the message ``count`` times."""
        task = import_module(f"benchmarks.{self._name}_tasks").send
        put = {"celery": "delay", "dramatiq": "send"}[self._name]
        for _ in range(count):
            getattr(task, put)(**self._arguments)


def is_installed(name: str) -> bool:
    """Whether this peer can run here."""
    return shutil.which("redis-server") is not None and find_spec(name) is not None


@contextmanager
def redis(folder: Path) -> Iterator[None]:
    """A Redis that stores nothing. An environment variable tells the tasks its socket."""
    path = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", ""]
    with Processes([*command, "--dir", str(folder)], log=folder / "redis.log") as server:
        eventually(lambda: _answers(path), 10, "Redis to start")
        server.check()
        os.environ["BENCHMARK_REDIS"] = str(path)
        yield


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(str(path)) == 0
