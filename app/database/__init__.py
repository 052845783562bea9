"""The database: engine, sessions, one transaction per request, and the column types that every
table shares.

A request owns one transaction. It commits when the view returns and rolls back when the view
raises. GET and HEAD requests get a read-only transaction, which the database itself enforces; every
other request gets a writing one, which begins with its first statement.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from typing import Any

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import (
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    Table,
    create_engine,
    event,
    func,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, ExceptionContext
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator
from transaction.interfaces import TransientError

HASTY = func.set_config("synchronous_commit", "off", True)
"""Makes the PostgreSQL transaction that selects it commit without waiting for the disk."""

LINE: dict[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
"""libpq's settings for every connection, in seconds and (the last) milliseconds, where the URL has
no others. A cut line is noticed and replaced before a worker's leases end.
"""
_PREPARE_THRESHOLD = 5
"""How often PostgreSQL sees a statement before it is prepared."""
READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SQLITE_BUSY_SECONDS = 30


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time, always aware and in UTC. SQLite stores it without a zone, PostgreSQL with
    one.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; times are stored in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of every model. Constraints are named by rule, so that migrations can name them on
    both databases.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime()}  # noqa: RUF012 (SQLAlchemy reads it so)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        table = cls.__table__
        if isinstance(table, Table) and "id" in table.c and isinstance(table.c.id.type, Integer):
            # SQLite gives the number of a deleted last row out again otherwise, and business keys
            # are made of these numbers.
            table.dialect_options["sqlite"]["autoincrement"] = True


class DatabaseBusy(TransientError):
    """The database could not take the write now ("database is locked", a deadlock). The request is
    worth a second try.
    """


class Database:
    """One engine under two sets of rules: ``reading`` refuses to write, ``writing`` takes the write
    lock at its start.
    """

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, **_engine_options(url))
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.reading = self.engine.execution_options(pillarbox_writes=False)
        self.writing = self.engine.execution_options(pillarbox_writes=True)
        self._hasty = self.engine.execution_options(pillarbox_writes=True, pillarbox_hasty=True)
        event.listen(self.engine, "handle_error", _mark_transient_errors)
        self._rules = _SQLiteRules(self.engine) if self.is_sqlite else None
        self._told: tuple[datetime, float] | None = None
        if not self.is_sqlite:
            event.listen(self.engine, "begin", _begin_on_postgresql)
            event.listen(self.engine, "connect", self._ask_the_time)

    @contextmanager
    def transaction(self, *, write: bool, hasty: bool = False) -> Iterator[Session]:
        """A short transaction of its own: committed at the end of the block, rolled back when the
        block raises.

        A ``hasty`` commit does not wait for the disk. It survives the death of the process like any
        other, and commits keep their order; only a power failure, or a crash of PostgreSQL itself,
        can undo the last ones. Delivery uses it, since at worst an email goes out twice then; a
        customer's act never does.
        """
        engine = self._hasty if hasty else self.writing if write else self.reading
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def held_connection(self, *, prepares: bool = False) -> Iterator["HeldConnection"]:
        """One connection for many small transactions in a row. To take it from the pool each time
        costs as much as what delivery writes about an email. ``prepares``: nothing stands between
        us and PostgreSQL, so that a ``statement`` can be prepared.
        """
        held = HeldConnection(self._hasty, self._rules, prepares)
        try:
            yield held
        finally:
            held.close()

    def clock(self) -> datetime:
        """The time in UTC. Machines that share a PostgreSQL go by its clock, however wrong their
        own are: a lease of 45 seconds means the same on all of them.
        """
        if self._told is None:
            return utc_clock()
        then, at = self._told
        return then + timedelta(seconds=_elapsed() - at)

    def _ask_the_time(self, dbapi_connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        asked = _elapsed()
        with closing(dbapi_connection.cursor()) as cursor:
            cursor.execute("SELECT clock_timestamp()")
            [(then,)] = cursor.fetchall()
        self._told = then.astimezone(UTC), (asked + _elapsed()) / 2

    def dispose(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


class HeldConnection:
    """A connection that stays out of the pool between its transactions, all of them hasty. One that
    is lost fails the transaction under way; the next one opens another.
    """

    def __init__(self, engine: Engine, rules: "_SQLiteRules | None", prepares: bool) -> None:
        self._prepares = prepares
        self._engine = engine if rules is None else engine.execution_options(pillarbox_turn=True)
        self._rules = rules
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end of the block, rolled back when the block raises."""
        with self._rules.turn() if self._rules else nullcontext():
            connection = self._opened()
            with connection.begin():
                yield connection

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """A transaction for what PostgreSQL does in one statement: without BEGIN and COMMIT around
        it, two round trips less. Such a statement selects ``HASTY`` too.
        """
        if self._rules is not None:
            with self.transaction() as connection:
                yield connection
            return
        connection = self._opened()
        driver: Any = connection.connection.driver_connection
        connection.info["alone"] = True
        driver.prepare_threshold = _PREPARE_THRESHOLD if self._prepares else None
        try:
            with connection.begin():
                yield connection
        finally:
            driver.prepare_threshold = None
            if not connection.invalidated:
                del connection.info["alone"]

    def _opened(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def close(self) -> None:
        """Give the connection back to the pool."""
        if self._connection is not None:
            self._connection.close()


def _engine_options(url: str) -> dict[str, Any]:
    # Bodies, addresses and digests of tokens are parameters, and no error may quote them.
    options: dict[str, Any] = {"hide_parameters": True}
    parsed = make_url(url)
    if parsed.database not in (None, "", ":memory:"):
        # The threads limit how many connections there are, so that none ever waits for one.
        options["max_overflow"] = -1
    if parsed.get_backend_name() == "sqlite":
        arguments = {"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False}
        return options | {"connect_args": arguments}
    # A connection that died with its server is noticed before it is used, not by the customer.
    # The driver must not open transactions by itself: _begin_on_postgresql does, in one round trip.
    line = {name: value for name, value in LINE.items() if name not in parsed.query}
    # A new connection now and then also asks the time anew.
    return options | {
        "pool_pre_ping": True,
        "pool_recycle": 300,
        # Behind a pooler a prepared statement would stay with a stranger's connection.
        "connect_args": {"autocommit": True, "prepare_threshold": None, **line},
    }


def _mark_transient_errors(context: ExceptionContext) -> None:
    original = context.original_exception
    sqlstate = getattr(original, "sqlstate", None) or ""
    # Class 40 is "transaction rollback" in the SQL standard: serialisation failures and deadlocks.
    if "database is locked" in str(original) or sqlstate.startswith("40"):
        raise DatabaseBusy(str(original)) from original


def _begin_on_postgresql(connection: Connection) -> None:
    options = connection.get_execution_options()
    if connection.info.get("alone", False):
        return
    if not options.get("pillarbox_writes", True):
        begin = "BEGIN READ ONLY"
    elif options.get("pillarbox_hasty", False):
        begin = "BEGIN; SET LOCAL synchronous_commit = off"
    else:
        begin = "BEGIN"
    connection.exec_driver_sql(begin)


class _SQLiteRules:
    """SQLite as DESIGN asks: WAL, foreign keys, BEGIN IMMEDIATE for writers, and one lock that
    queues this process's writers.

    SQLite's own busy handler sleeps in steps and is unfair, so writers of one process wait for a
    lock instead. The lock is taken when a writing transaction begins and given back when its
    connection returns to the pool; a connection that is held between transactions takes its
    ``turn`` instead.
    """

    def __init__(self, engine: Engine) -> None:
        self._lock = threading.Lock()
        event.listen(engine, "connect", self._connect)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "checkin", self._checkin)

    def _connect(self, dbapi_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        # The driver must not open transactions by itself: _begin does, in the mode that is needed.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    def _begin(self, connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get("pillarbox_writes", True):
            _set_pragma(connection, "query_only", "ON")
            connection.exec_driver_sql("BEGIN")
            return
        hasty = options.get("pillarbox_hasty", False)
        record = connection.connection._connection_record
        if not (
            options.get("pillarbox_turn", False)
            or record is None
            or record.info.get("holds_write_lock")
        ):
            self._take_lock()
            record.info["holds_write_lock"] = True
        _set_pragma(connection, "query_only", "OFF")
        # Not as a connection opens: it changes the file, which who only looks must not.
        _set_pragma(connection, "journal_mode", "WAL")
        _set_pragma(connection, "synchronous", "NORMAL" if hasty else "FULL")
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Hold the lock for the block."""
        self._take_lock()
        try:
            yield
        finally:
            self._lock.release()

    def _take_lock(self) -> None:
        if not self._lock.acquire(timeout=SQLITE_BUSY_SECONDS):
            raise DatabaseBusy("another writer of this process held the database too long")

    def _checkin(
        self, dbapi_connection: DBAPIConnection | None, record: ConnectionPoolEntry
    ) -> None:
        if record.info.pop("holds_write_lock", False):
            self._lock.release()


def _set_pragma(connection: Connection, name: str, value: str) -> None:
    """Set it for this connection to the file, unless it is set so from its last use."""
    set_before = connection.connection.info
    if set_before.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name} = {value}")
        set_before[name] = value


def _elapsed() -> float:
    """Seconds by a clock that nobody sets. Linux's goes on while the machine sleeps: a worker that
    woke up with the time of before would write leases that ended long ago.
    """
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def utc_clock() -> datetime:
    """The time by this machine's clock. Code asks ``registry.clock`` instead, which is
    ``Database.clock`` unless a test sets the time.
    """
    return datetime.now(UTC)


def in_words(error: Exception) -> str:
    """What a log may hold of a database's error: the words of one about reaching it, whichever
    library it comes from. Others may quote a row, and are told by their type.
    """
    if isinstance(error, DatabaseBusy):
        return str(error)
    if any(cls.__name__ == "OperationalError" for cls in type(error).__mro__):
        return str(getattr(error, "orig", error)).strip().partition("\n")[0]
    return type(error).__name__


def insert_for(session: Session | Connection, model: type[Base]) -> Any:
    """The INSERT of the session's database, which both spell
    ``.on_conflict_do_nothing().returning(...)``.
    """
    bind = session if isinstance(session, Connection) else session.get_bind()
    if bind.dialect.name == "sqlite":
        return sqlite.insert(model)
    return postgresql.insert(model)


@contextmanager
def short_transaction(registry: Registry, *, write: bool) -> Iterator[Session]:
    """A transaction beside the request's, for what must not wait inside it (session look-ups,
    limits, settle on a GET).

    On SQLite, never open a writing one while the request's own transaction has begun to write.
    """
    database: Database = registry.database
    with database.transaction(write=write) as session:
        yield session


def _dbsession(request: Request) -> Session:
    database: Database = request.registry.database
    engine = database.reading if request.method in READ_METHODS else database.writing
    session = Session(engine)
    zope.sqlalchemy.register(session, transaction_manager=request.tm)
    return session


def _now(request: Request) -> datetime:
    clock: Callable[[], datetime] = request.registry.clock
    return clock()


def includeme(config: Configurator) -> None:
    """Give the application ``registry.database``, ``registry.clock``, ``request.dbsession`` and
    ``request.now``.
    """
    config.include("app.settings")
    config.add_settings({"tm.manager_hook": "pyramid_tm.explicit_manager", "retry.attempts": 3})
    config.include("pyramid_retry")
    config.include("pyramid_tm")
    config.registry.database = Database(config.registry.pillarbox.database.url)
    config.registry.clock = config.registry.database.clock
    config.add_request_method(_dbsession, "dbsession", reify=True)
    config.add_request_method(_now, "now", reify=True)
