"""The time in UTC: this machine's, or the one of a database server that machines share."""

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry


def utc_clock() -> datetime:
    """The time by this machine's clock. The application asks ``registry.clock`` instead, which is
    ``Database.clock`` unless a test sets the time.
    """
    return datetime.now(UTC)


class ServerClock:
    """PostgreSQL's clock, computed from the time that the server gave the newest connection and the
    seconds since then. Where no server was asked, it is this machine's clock.
    """

    def __init__(self) -> None:
        self._answer: tuple[datetime, float] | None = None

    def now(self) -> datetime:
        if self._answer is None:
            return utc_clock()
        then, asked_at = self._answer
        return then + timedelta(seconds=_seconds() - asked_at)

    def ask(self, dbapi_connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        """SQLAlchemy's ``connect`` event: ask the server for its time."""
        before = _seconds()
        with closing(dbapi_connection.cursor()) as cursor:
            cursor.execute("SELECT clock_timestamp()")
            [(then,)] = cursor.fetchall()
        self._answer = then.astimezone(UTC), (before + _seconds()) / 2


def _seconds() -> float:
    """Seconds by a clock that nobody sets. On Linux it also counts the time that the machine
    sleeps: otherwise a worker would wake up with an old time, and write leases that have ended.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
