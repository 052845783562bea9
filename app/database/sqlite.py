"""What SQLite needs: WAL, foreign keys, BEGIN IMMEDIATE for writers, and one lock in which the
writers of this process queue.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from app.database.errors import DatabaseBusy
from app.database.private_files import make_files_private, path_of

SQLITE_BUSY_SECONDS = 30
"""How long a writer waits for another one, of this process or of another, before it fails."""


def engine_options() -> dict[str, Any]:
    return {"connect_args": {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}}


class SQLiteRules:
    """The rules, on every connection of one engine.

    SQLite's own busy handler sleeps in steps and is unfair, so writers of one process wait for a
    lock instead. A writing transaction takes the lock when it begins, and its connection gives the
    lock back when it returns to the pool. A connection that is held between transactions takes the
    lock by ``turn`` instead.
    """

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        self._path = path_of(engine.url)
        event.listen(engine, "do_connect", self._before_connect)
        event.listen(engine, "connect", self._connect)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "checkin", self._checkin)

    def _before_connect(self, *_: Any) -> None:
        if self._path is not None:
            make_files_private(self._path)

    def _connect(self, dbapi_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        # The driver must not open transactions itself, because _begin chooses their mode.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        # What is deleted or erased is overwritten in the file, too.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.close()

    def _begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("pillarbox_writes", True):
            _set_pragma(connection, "query_only", "ON")
            connection.exec_driver_sql("BEGIN")
            return
        busy_seconds = options.get("pillarbox_busy_seconds", SQLITE_BUSY_SECONDS)
        asynchronous_commit = options.get("pillarbox_asynchronous_commit", False)
        record = connection.connection._connection_record
        if not (
            options.get("pillarbox_turn", False)
            or record is None
            or record.info.get("holds_write_lock")
        ):
            self._take_lock(busy_seconds)
            record.info["holds_write_lock"] = True
        _set_pragma(connection, "query_only", "OFF")
        _set_pragma(connection, "busy_timeout", round(busy_seconds * 1000))
        # Only here and not in _connect, because it changes the file, and a reader must not.
        _set_pragma(connection, "journal_mode", "WAL")
        _set_pragma(connection, "synchronous", "NORMAL" if asynchronous_commit else "FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock for the block. Raises ``DatabaseBusy``."""
        self._take_lock(SQLITE_BUSY_SECONDS)
        try:
            yield
        finally:
            self._lock.release()

    def _take_lock(self, seconds: float) -> None:
        if not self._lock.acquire(timeout=seconds):
            raise DatabaseBusy("another writer of this process held the database too long")

    def _checkin(
        self, dbapi_connection: DBAPIConnection | None, record: ConnectionPoolEntry
    ) -> None:
        if record.info.pop("holds_write_lock", False):
            self._lock.release()


def _set_pragma(connection: Connection, name: str, value: str | int) -> None:
    """Set a pragma, unless this connection has set it to the same value before."""
    already_set = connection.connection.info
    if already_set.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name} = {value}")
        already_set[name] = value
