"""Liveness: how workers see that another worker is dead.

Each worker holds a lock, and the operating system or PostgreSQL frees it when the worker dies. The
worker's name holds the lock's number, so a worker that gets the lock knows that its holder is dead.
A worker that cannot hold a lock has a name that says so. When it dies, only its leases end.

A lock can outlive its connection, because PostgreSQL may need hours to notice a cut network line.
The worker then continues under a new name with a new lock. Nothing goes out under the old name any
more, and the leases under it end in time.
"""

import fcntl
import logging
import secrets
import threading
from pathlib import Path
from typing import IO, Any, Protocol

import psycopg
from psycopg.errors import LockNotAvailable
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.database.errors import describe
from app.database.postgresql import LIBPQ_SETTINGS
from app.database.private_files import make_private_folder, path_of
from app.mail.outbox.wakeup import CHANNEL

log = logging.getLogger(__name__)

LOCKED = "lock-"
"""The names of workers that hold a lock begin so. The lock's number follows."""
LEASED = "lease-"
"""The names of workers without a lock begin so."""

GRACE_SECONDS = 2.0
"""How long a worker that lost its connection waits to get its lock again. PostgreSQL frees the lock
when it learns that the connection has ended.
"""


class Liveness(Protocol):
    """A worker's proof of life."""

    worker: str
    """The worker's present name. It can change."""

    def is_held(self, worker: str) -> bool:
        """Whether this worker still holds the proof under that name. Without it the worker must not
        send a final dot for an email claimed under the name.
        """

    def watch(self, seconds: float, stopping: threading.Event) -> bool:
        """Wait up to ``seconds`` for a wake-up from another process. Returns whether one came. A
        lost lock is taken again, or another one under a new name.
        """

    def is_dead(self, session: Session, worker: str) -> bool:
        """Whether ``worker`` is certainly dead. False when it is not certain."""

    def close(self) -> None:
        """Give the lock back."""


def liveness_for(engine: Engine) -> Liveness:
    """Make a worker's proof of life: a lock file beside an SQLite database, or an advisory lock on
    a separate PostgreSQL connection.
    """
    if engine.dialect.name == "sqlite":
        # Workers may open the file by different paths, and must find each other's locks.
        return FileLock(path_of(engine.url) or Path("memory").resolve())
    return AdvisoryLock(engine)


class FileLock:
    """A locked file in ``<database>-workers/``. The lock ends with the process, also by kill -9."""

    def __init__(self, database: Path) -> None:
        self._folder = database.with_name(database.name + "-workers")
        make_private_folder(self._folder)
        number = _random_number()
        self.worker = f"{LOCKED}{number}"
        # The file gets its name once it is locked, so that no other worker can find it free.
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
        # SQLite cannot notify this process of an email, so there is nothing to wait for here.
        # ``Wakeup`` and polling find the emails.
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
    """Whether no worker holds that lock file. A free file is deleted."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
    except FileNotFoundError:
        return True
    except OSError:
        # Another worker holds it, or this process may not open it. Then only leases tell.
        return False
    return True


class AdvisoryLock:
    """An advisory lock on a separate connection outside the pool. The connection also listens for
    PostgreSQL's notifications.
    """

    def __init__(self, engine: Engine) -> None:
        arguments = engine.dialect.create_connect_args(engine.url)[1]
        self._arguments: dict[str, Any] = {**LIBPQ_SETTINGS, **arguments}
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
            log.warning(
                "worker lost its own database connection: worker=%s error=%s",
                self.worker,
                describe(error),
            )
            self.close()
        try:
            # There is no pause before this, because until then the worker sends nothing and other
            # workers take it for dead.
            self._open()
        except psycopg.OperationalError as error:
            log.debug(
                "worker cannot connect to the database: worker=%s error=%s",
                self.worker,
                describe(error),
            )
        stopping.wait(seconds)
        return False

    def is_dead(self, session: Session, worker: str) -> bool:
        if worker == self.worker or not worker.startswith(LOCKED):
            return False
        # The transaction keeps the lock to its end. So if the worker reconnects meanwhile, it waits
        # until its emails are released.
        taken = session.connection().exec_driver_sql(_TAKE_IF_FREE, _lock_of(worker))
        return bool(taken.scalar())

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _open(self) -> None:
        # Behind a pooler, a prepared statement would stay on another client's connection.
        connection = psycopg.connect(**self._arguments, autocommit=True, prepare_threshold=None)
        try:
            if self.worker.startswith(LOCKED) and not _lock(connection, self.worker):
                old, new = self.worker, f"{LOCKED}{_random_number()}"
                _lock(connection, new)
                self.worker = new
                log.warning("worker renamed, its old lock is still held: old=%s new=%s", old, new)
            connection.execute(f"LISTEN {CHANNEL}")
        except BaseException:
            connection.close()
            raise
        self._connection = connection

    def _listen(self, connection: "psycopg.Connection[Any]", seconds: float) -> bool:
        if self.worker.startswith(LOCKED):
            [(has_lock,)] = connection.execute(_HAS_LOCK, _lock_of(self.worker)).fetchall()
            if not has_lock:
                # A pooler gives each transaction another backend of PostgreSQL, so the lock is now
                # on a backend that serves other clients.
                self.worker = LEASED + self.worker.removeprefix(LOCKED)
                log.warning(
                    "pooler before PostgreSQL, worker relies on leases and polling: worker=%s",
                    self.worker,
                )
        return any(True for _ in connection.notifies(timeout=seconds, stop_after=1))


# The search covers all databases of the server, because the locks' numbers are random.
_HOLDERS = """
    SELECT FROM pg_locks
    WHERE locktype = 'advisory' AND granted AND objsubid = 1
        AND (classid::bigint << 32) | objid::bigint = %(lock)s
"""
_HAS_LOCK = f"SELECT EXISTS ({_HOLDERS} AND pid = pg_backend_pid())"
# PostgreSQL grants a backend a lock that the backend already holds, and behind a pooler that can be
# another worker's lock. So the query looks for any holder first.
_TAKE_IF_FREE = f"""
    SELECT CASE WHEN EXISTS ({_HOLDERS}) THEN false ELSE pg_try_advisory_xact_lock(%(lock)s) END
"""


def _lock(connection: "psycopg.Connection[Any]", worker: str) -> bool:
    """Take that worker's lock. False when it stays taken for ``GRACE_SECONDS``."""
    milliseconds = str(round(GRACE_SECONDS * 1000))
    try:
        # PostgreSQL gives a freed lock to the first in its queue, so the waiting worker gets it
        # before workers that only test whether it is free.
        with connection.transaction():
            connection.execute("SELECT set_config('lock_timeout', %s, true)", (milliseconds,))
            connection.execute("SELECT pg_advisory_lock(%(lock)s)", _lock_of(worker))
    except LockNotAvailable:
        return False
    return True


def _lock_of(worker: str) -> dict[str, int]:
    return {"lock": int(worker.removeprefix(LOCKED))}


def _random_number() -> int:
    """63 random bits: they fit an advisory lock's key, and two workers never draw the same."""
    return secrets.randbits(63)
