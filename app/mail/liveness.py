"""How workers know that another one is dead: each holds a lock that the operating system or
PostgreSQL drops with it.

A worker's name says which lock is its own, so whoever gets that lock knows that its holder is gone.
A worker that cannot hold a lock has a name without one, and only its leases tell.
"""

import fcntl
import logging
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import psycopg
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from app.mail.wakeup import CHANNEL

log = logging.getLogger(__name__)

LOCKED = "lock-"
"""What the names of workers begin with whose death can be seen; the number behind it names the
lock.
"""
LEASED = "lease-"
"""What the names of workers begin with of which only their leases tell."""


class Liveness(Protocol):
    """A worker's proof of life."""

    worker: str
    """The worker's name."""

    def is_held(self) -> bool:
        """Whether the proof stands; without it no final dot may go out."""

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        """Wait up to ``seconds`` for a call from another process. True when there was one. Takes
        the lock again when it was lost.
        """

    def is_dead(self, session: Session, worker: str) -> bool:
        """Whether ``worker`` is certainly dead."""

    def close(self) -> None:
        """Give the lock back."""


def liveness_for(engine: Engine) -> Liveness:
    """The way of this database: a lock file beside SQLite's, an advisory lock on a PostgreSQL
    connection of its own.
    """
    if engine.dialect.name == "sqlite":
        # By whichever path a worker opens the file, its lock is in one place.
        return FileLock(Path(str(engine.url.database)).resolve())
    return AdvisoryLock(engine)


class FileLock:
    """A locked file in ``<database>-workers/``. The lock ends with the process, however it ends."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + "-workers")
        self._folder.mkdir(exist_ok=True)
        number = _random_number()
        self.worker = f"{LOCKED}{number}"
        self._path = self._folder / str(number)
        self._file: IO[bytes] = self._path.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_held(self) -> bool:
        return not self._file.closed

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        # SQLite has no NOTIFY. Within the process Wakeup calls; what other processes write is found
        # by polling.
        stopping.wait(seconds)
        return False

    def is_dead(self, session: Session, worker: str) -> bool:
        if worker == self.worker or not worker.startswith(LOCKED):
            return False
        path = self._folder / worker.removeprefix(LOCKED)
        try:
            with path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
        except FileNotFoundError:
            return True
        except OSError:
            # Held, or not ours to look at: then the leases tell.
            return False
        return True

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


class AdvisoryLock:
    """An advisory lock on one dedicated connection outside the pool, which also listens for
    PostgreSQL's notifications.
    """

    def __init__(self, engine: Engine) -> None:
        self._conninfo = _connection_arguments(engine)
        self._connection: psycopg.Connection[Any] | None = None
        self._backend = 0
        self._number = _random_number()
        self.worker = f"{LOCKED}{self._number}"
        self._open()

    def is_held(self) -> bool:
        connection = self._connection
        return not self.worker.startswith(LOCKED) or (
            connection is not None and not connection.closed
        )

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        try:
            connection = self._connection or self._open()
            if self.worker.startswith(LOCKED) and _backend(connection) != self._backend:
                self._do_without_lock()
            for _ in connection.notifies(timeout=seconds, stop_after=1):
                return True
        except psycopg.OperationalError as error:
            log.warning("the worker's own database connection was lost: %s", type(error).__name__)
            self._drop()
            stopping.wait(seconds)
        return False

    def is_dead(self, session: Session, worker: str) -> bool:
        if worker == self.worker or not worker.startswith(LOCKED):
            return False
        number = int(worker.removeprefix(LOCKED))
        return bool(session.scalar(select(func.pg_try_advisory_xact_lock(number))))

    def close(self) -> None:
        self._drop()

    def _open(self) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(**self._conninfo, autocommit=True)
        with _closed_on_error(connection):
            self._backend = _backend(connection)
            if self.worker.startswith(LOCKED):
                connection.execute("SELECT pg_advisory_lock(%s)", (self._number,))
            connection.execute(f"LISTEN {CHANNEL}")
        self._connection = connection
        return connection

    def _do_without_lock(self) -> None:
        """A pooler gives every transaction another backend, so the lock stayed on a stranger's."""
        self.worker = f"{LEASED}{self._number}"
        log.warning(
            "a pooler stands before PostgreSQL: worker %s relies on leases and the poll only",
            self.worker,
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@contextmanager
def _closed_on_error(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _backend(connection: "psycopg.Connection[Any]") -> int:
    [(pid,)] = connection.execute("SELECT pg_backend_pid()").fetchall()
    return int(pid)


def _connection_arguments(engine: Engine) -> dict[str, Any]:
    return dict(engine.dialect.create_connect_args(engine.url)[1])


def _random_number() -> int:
    """63 bits: what an advisory lock's key can hold, and more than two workers will ever share."""
    return secrets.randbits(63)
