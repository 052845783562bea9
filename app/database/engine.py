"""The engine: transactions that read or write, and connections that are held for many of them."""

from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

from app.database import postgresql, sqlite
from app.database.clock import ServerClock
from app.database.errors import raise_busy
from app.database.sqlite import SQLiteRules


class Database:
    """One engine, with two sets of options: ``reading`` refuses to write, ``writing`` takes the
    write lock when its transaction begins.
    """

    def __init__(self, url: str) -> None:
        self.engine = create_engine(url, **_engine_options(url))
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self.reading = self.engine.execution_options(pillarbox_writes=False)
        self.writing = self.engine.execution_options(pillarbox_writes=True)
        self._asynchronous_commit = self.engine.execution_options(
            pillarbox_writes=True, pillarbox_asynchronous_commit=True
        )
        event.listen(self.engine, "handle_error", raise_busy)
        self._sqlite_rules = SQLiteRules(self.engine) if self.is_sqlite else None
        server_clock = ServerClock()
        self.clock = server_clock.now
        """The time in UTC. Machines that share a PostgreSQL go by its clock, however wrong their
        own are: a lease of 45 seconds means the same on all of them.
        """
        if not self.is_sqlite:
            event.listen(self.engine, "begin", postgresql.begin)
            event.listen(self.engine, "connect", server_clock.ask)

    @contextmanager
    def transaction(self, *, write: bool, asynchronous_commit: bool = False) -> Iterator[Session]:
        """A short transaction of its own: committed at the end of the block, rolled back when the
        block raises.

        An asynchronous commit does not wait for the disk. It survives the death of this process
        like any other commit, and commits keep their order. Only a power failure, or a crash of
        PostgreSQL itself, can undo the last ones. Delivery uses it, because then at worst an email
        goes out twice. A customer's act never uses it.
        """
        engine = self.writing if write else self.reading
        if asynchronous_commit:
            engine = self._asynchronous_commit
        with Session(engine, expire_on_commit=False) as session, session.begin():
            yield session

    @contextmanager
    def held_connection(self, *, prepares: bool = False) -> Iterator["HeldConnection"]:
        """One connection for many small transactions, because taking it from the pool for each
        costs as much as what delivery writes about an email.

        ``prepares`` lets PostgreSQL prepare what ``HeldConnection.statement`` runs. Set it only
        where no pooler stands in between.
        """
        held = HeldConnection(self._asynchronous_commit, self._sqlite_rules, prepares)
        try:
            yield held
        finally:
            held.close()

    def empty_log(self) -> bool:
        """Leave no old page in SQLite's log (WAL): move all of it into the database's file.
        PostgreSQL recycles its own log. Returns False while a reader needs some of SQLite's.
        """
        if not self.is_sqlite:
            return True
        with closing(self.engine.raw_connection()) as connection:
            cursor = connection.cursor()
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            [(is_busy, *_)] = cursor.fetchall()
        return not is_busy

    def dispose(self) -> None:
        self.engine.dispose()


class HeldConnection:
    """A connection that stays out of the pool between its transactions. All of them commit
    asynchronously. A lost connection fails the transaction in progress; the next one reconnects.
    """

    def __init__(self, engine: Engine, rules: SQLiteRules | None, prepares: bool) -> None:
        self._prepares = prepares
        self._engine = engine if rules is None else engine.execution_options(pillarbox_turn=True)
        self._sqlite_rules = rules
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Committed at the end of the block, rolled back when the block raises."""
        with self._sqlite_rules.turn() if self._sqlite_rules else nullcontext():
            connection = self._get_connection()
            with connection.begin():
                yield connection

    @contextmanager
    def statement(self) -> Iterator[Connection]:
        """A transaction of exactly one statement. On PostgreSQL it runs without BEGIN and COMMIT,
        which saves two round trips; the statement must select ``ASYNCHRONOUS_COMMIT`` itself.
        """
        if self._sqlite_rules is not None:
            with self.transaction() as connection:
                yield connection
            return
        connection = self._get_connection()
        driver: Any = connection.connection.driver_connection
        connection.info["single_statement"] = True
        driver.prepare_threshold = postgresql.PREPARE_THRESHOLD if self._prepares else None
        try:
            with connection.begin():
                yield connection
        finally:
            driver.prepare_threshold = None
            if not connection.invalidated:
                del connection.info["single_statement"]

    def _get_connection(self) -> Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
        return self._connection

    def close(self) -> None:
        """Give the connection back to the pool."""
        if self._connection is not None:
            self._connection.close()


def _engine_options(url: str) -> dict[str, Any]:
    parsed = make_url(url)
    is_sqlite = parsed.get_backend_name() == "sqlite"
    options = sqlite.engine_options() if is_sqlite else postgresql.engine_options(parsed)
    # Parameters hold bodies, addresses and digests of tokens, so no error may quote them.
    options["hide_parameters"] = True
    if parsed.database not in (None, "", ":memory:"):
        # The number of threads limits the connections already, so none has to wait for one.
        options["max_overflow"] = -1
    return options
