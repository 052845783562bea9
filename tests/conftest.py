"""What tests share: an application on a fresh migrated database, a browser, a mailbox, and a clock
that tests move.
"""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from jinja2.bccache import Bucket, BytecodeCache
from pyramid.router import Router
from webtest import TestApp

from app import configure
from app.database.engine import Database
from app.migrations import migrate
from tests.support.postgresql import PostgreSQL

pytest_plugins = ["app.mail.testing", "tests.support.sending"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes too")
    parser.addoption("--golden", action="store_true", help="write the golden texts anew")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "long: takes minutes; runs with --long only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


class CompiledTemplates(BytecodeCache):
    """Compiles every template once for all tests, and not once more for each application."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        compiled = self._compiled.get((bucket.key, bucket.checksum))
        if compiled is not None:
            bucket.bytecode_from_string(compiled)

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._compiled[bucket.key, bucket.checksum] = bucket.bytecode_to_string()


PAGES, EMAILS = CompiledTemplates(), CompiledTemplates()
"""Apart, since the two are compiled under different rules."""


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


def eventually(holds: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until ``holds()``, which another thread or process sees to; fail after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.01)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database that tests copy, since migrating takes longer than most tests."""
    path = tmp_path_factory.mktemp("migrated") / "pillarbox.sqlite"
    database = Database(f"sqlite:///{path}")
    migrate(database.engine)
    database.dispose()
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL server, with a migrated database named ``migrated`` that tests copy."""
    with PostgreSQL() as server:
        server.create("migrated")
        database = Database(server.url("migrated"))
        migrate(database.engine)
        database.dispose()
        yield server


@pytest.fixture
def sqlite_url(tmp_path: Path, migrated_sqlite: Path) -> str:
    """A SQLite database of the test's own, migrated and empty."""
    path = tmp_path / "pillarbox.sqlite"
    shutil.copy(migrated_sqlite, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: PostgreSQL) -> Iterator[str]:
    """A database of the test's own on PostgreSQL, migrated and empty."""
    with postgresql.lend("migrated") as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A database of the test's own, migrated and empty: each test runs once on either."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
"""For a test that is about one of the two databases."""


@pytest.fixture
def settings_values(database_url: str) -> dict[str, str]:
    """Settings as an .ini file would give them: development, nothing leaves."""
    return {
        "environment": "development",
        "site.name": "Pillarbox",
        "site.base_url": "http://localhost",
        "site.support_email": "help@example.org",
        "database.url": database_url,
        "secret": "a secret for tests that is long enough to be taken",
        "email.debug": "true",
        "email.from": "Pillarbox <shop@example.org>",
        "payments.provider": "test",
    }


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_app(clock: Clock, database_url: str) -> Iterator[Callable[[dict[str, str]], Router]]:
    """Makes applications from settings; their connections are closed before the database goes."""
    routers: list[Router] = []

    def make(values: dict[str, Any]) -> Router:
        config = configure({}, values | {"jinja2.bytecode_caching": PAGES})
        config.registry.email_composer._templates.bytecode_cache = EMAILS
        # A template that cannot be rendered fails the test instead of becoming a failed row.
        config.registry.email_composer.raises = True
        config.registry.clock = clock
        router = config.make_wsgi_app()
        routers.append(router)
        return router

    yield make
    for router in routers:
        router.registry.database.dispose()


@pytest.fixture
def app(make_app: Callable[[dict[str, str]], Router], settings_values: dict[str, str]) -> Router:
    """The application."""
    return make_app(settings_values)


@pytest.fixture
def database(app: Router) -> Database:
    """The application's database."""
    return app.registry.database


@pytest.fixture
def browser(app: Router) -> TestApp:
    """A browser without JavaScript."""
    return TestApp(app, extra_environ={"HTTP_HOST": "localhost", "REMOTE_ADDR": "127.0.0.1"})
