"""How workers know that another one is dead: each holds a lock that the operating system or
PostgreSQL drops with it.

A worker's name says which lock is its own, so whoever gets that lock knows that its holder is gone.
A worker that cannot hold a lock has a name without one, and only its leases tell.

A lock can outlive its connection: it may take PostgreSQL hours to see that a line was cut. Then the
worker goes on under a new name, with a new lock. Under the old one nothing goes out any more, and
its leases end by themselves.
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
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database.errors import describe
from app.database.postgresql import LIBPQ_SETTINGS
from app.mail.outbox.wakeup import CHANNEL

log = logging.getLogger(__name__)

LOCKED = "lock-"
"""What the names of workers begin with whose death can be seen; the number behind it names the
lock.
"""
LEASED = "lease-"
"""What the names of workers begin with of which only their leases tell."""

GRACE_SECONDS = 2.0
"""How long a worker that lost its connection waits for its lock. PostgreSQL frees it as soon as its
own end of the connection is told.
"""


class Liveness(Protocol):
    """A worker's proof of life."""

    worker: str
    """The worker's name now."""

    def is_held(self, worker: str) -> bool:
        """Whether the proof for that name stands; without it no final dot may go out under it."""

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        """Wait up to ``seconds`` for a call from another process. True when there was one. Takes
        the lock again when it was lost, or another one under a new name.
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
        # Locked before it has its name: nobody must find it free.
        nameless = self._folder / f".{number}"
        self._file: IO[bytes] = nameless.open("wb")
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._path = nameless.rename(self._folder / str(number))
        for path in self._folder.glob("[0-9]*"):
            if path != self._path:
                _is_free(path)

    def is_held(self, worker: str) -> bool:
        return worker == self.worker and not self._file.closed

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        # SQLite has no NOTIFY. Within the process Wakeup calls; what other processes write is found
        # by polling.
        stopping.wait(seconds)
        return False

    def is_dead(self, session: Session, worker: str) -> bool:
        if worker == self.worker or not worker.startswith(LOCKED):
            return False
        return _is_free(self._folder / worker.removeprefix(LOCKED))

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self._file.close()


def _is_free(path: Path) -> bool:
    """Whether nobody holds that lock file. Then it goes."""
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


class AdvisoryLock:
    """An advisory lock on one dedicated connection outside the pool, which also listens for
    PostgreSQL's notifications.
    """

    def __init__(self, engine: Engine) -> None:
        self._arguments = _connection_arguments(engine)
        self._connection: psycopg.Connection[Any] | None = None
        self.worker = f"{LOCKED}{_random_number()}"
        self._open()

    def is_held(self, worker: str) -> bool:
        connection = self._connection
        return worker == self.worker and (
            worker.startswith(LEASED) or (connection is not None and not connection.closed)
        )

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        connection = self._connection
        try:
            if connection is not None:
                return self._listen(connection, seconds)
        except psycopg.OperationalError as error:
            log.warning("the worker's own database connection was lost: %s", describe(error))
            self._drop()
        try:
            # Without a pause: until then nothing goes out, and others take this worker for dead.
            self._open()
        except psycopg.OperationalError as error:
            log.debug("the worker cannot connect to the database: %s", describe(error))
        stopping.wait(seconds)
        return False

    def is_dead(self, session: Session, worker: str) -> bool:
        if worker == self.worker or not worker.startswith(LOCKED):
            return False
        # Kept to the end of the transaction, so that who comes back meanwhile waits for it.
        taken = session.connection().exec_driver_sql(_TAKE_IF_FREE, _lock_of(worker))
        return bool(taken.scalar())

    def close(self) -> None:
        self._drop()

    def _open(self) -> None:
        # Behind a pooler a prepared statement stays with a stranger's connection.
        connection = psycopg.connect(**self._arguments, autocommit=True, prepare_threshold=None)
        with _closed_on_error(connection):
            if self.worker.startswith(LOCKED) and not _lock(connection, self.worker):
                old, new = self.worker, f"{LOCKED}{_random_number()}"
                _lock(connection, new)
                self.worker = new
                log.warning("worker %s does not get its lock back and goes on as %s", old, new)
            connection.execute(f"LISTEN {CHANNEL}")
        self._connection = connection

    def _listen(self, connection: "psycopg.Connection[Any]", seconds: float) -> bool:
        if self.worker.startswith(LOCKED):
            [(has_lock,)] = connection.execute(_HAS_LOCK, _lock_of(self.worker)).fetchall()
            if not has_lock:
                self._do_without_lock()
        return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))

    def _do_without_lock(self) -> None:
        """A pooler gives every transaction another backend, so the lock stayed on a stranger's."""
        self.worker = LEASED + self.worker.removeprefix(LOCKED)
        log.warning(
            "a pooler stands before PostgreSQL: worker %s relies on leases and the poll only",
            self.worker,
        )

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


# Of whichever database: the numbers are random.
_HOLDERS = """
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND (classid::bigint << 32) | objid::bigint = %(lock)s
"""
_HAS_LOCK = f"SELECT EXISTS ({_HOLDERS} AND pid = pg_backend_pid())"
# A backend is given a lock that it has itself, and behind a pooler that may be another worker's.
_TAKE_IF_FREE = f"""
    SELECT CASE WHEN EXISTS ({_HOLDERS}) THEN false ELSE pg_try_advisory_xact_lock(%(lock)s) END
"""


def _lock(connection: "psycopg.Connection[Any]", worker: str) -> bool:
    """Take that worker's lock; False when it is not to be had within ``GRACE_SECONDS``."""
    milliseconds = str(round(GRACE_SECONDS * 1000))
    try:
        # Waiting in PostgreSQL's own queue, one gets it before those who only look whether it is
        # free.
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (milliseconds,))
            connection.execute("SELECT pg_advisory_lock(%(lock)s)", _lock_of(worker))
    except LockNotAvailable:
        return False
    return True


def _lock_of(worker: str) -> dict[str, int]:
    return {"lock": int(worker.removeprefix(LOCKED))}


@contextmanager
def _closed_on_error(connection: "psycopg.Connection[Any]") -> Iterator[None]:
    try:
        yield
    except BaseException:
        connection.close()
        raise


def _connection_arguments(engine: Engine) -> dict[str, Any]:
    return {**LIBPQ_SETTINGS, **engine.dialect.create_connect_args(engine.url)[1]}


def _random_number() -> int:
    """63 bits: what an advisory lock's key can hold, and more than two workers will ever share."""
    return secrets.randbits(63)
