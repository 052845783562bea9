"""Databases for the benchmark: SQLite files, and a PostgreSQL server of the benchmark's own."""

import itertools
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from sqlalchemy import make_url

from app.database.engine import Database
from app.migrations import migrate
from tests.support.postgresql import PostgreSQL

ENGINES = ("SQLite", "PostgreSQL")


class Databases:
    """Makes migrated, empty databases. All of them, and ``folder``, are removed at the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._numbers = itertools.count(1)
        self._server: PostgreSQL | None = None

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="pillarbox-bench-"))
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def new(self, engine: str) -> str:
        """The URL of a new database on ``engine``, one of ``ENGINES``."""
        name = f"bench_{next(self._numbers)}"
        url = f"sqlite:///{self.folder}/{name}.sqlite"
        if engine == "PostgreSQL":
            if self._server is None:
                # It waits for the disk at each commit, as in production.
                self._server = self._stack.enter_context(PostgreSQL({"max_connections": "200"}))
            self._server.create(name)
            url = self._server.url(name)
        database = Database(url)
        migrate(database.engine)
        database.dispose()
        return url

    def drop(self, url: str) -> None:
        """Remove a database that is no longer needed, to save space on the disk."""
        path = make_url(url).database
        assert path is not None
        if url.startswith("sqlite"):
            for suffix in ("", "-wal", "-shm"):
                Path(path + suffix).unlink(missing_ok=True)
        elif self._server is not None:
            self._server.drop(path)
