"""The fixtures that tests of several rooms share, in the order in which they build on each other:
databases, an application, relays, and the outbox with its workers.
"""

import gc
import inspect
import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyramid_jinja2
import pytest
from pyramid.router import Router
from webtest import TestApp

from app import configure
from app.database.engine import Database
from app.i18n import languages
from app.mail.delivery.worker import Delivery
from app.migrations import migrate
from tests.support.application import EMAILS, PAGES, CompiledCatalogues, MakeApp
from tests.support.browser import another_browser
from tests.support.certificates import Certificate, issue
from tests.support.clock import Clock
from tests.support.outbox import Outbox
from tests.support.passwords import hash_cheaply
from tests.support.postgresql import PostgreSQL
from tests.support.relay import Relay, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.shop_settings import shop_settings
from tests.support.stripe import FakeStripe
from tests.support.workers import Hire

pytest_plugins = ["app.mail.testing"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests that take minutes too")
    parser.addoption("--golden", action="store_true", help="write the golden texts anew")


def pytest_configure(config: pytest.Config) -> None:
    hash_cheaply()
    config.addinivalue_line("markers", "long: takes minutes; runs with --long only")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if item not in long]


def pytest_collection_finish(session: pytest.Session) -> None:
    # Each test makes an application, whose many objects would start the garbage collector again and
    # again, and it would look at all modules and all collected tests each time.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


# --- Databases ----------------------------------------------------------------


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


@pytest.fixture
def plain_database(database_url: str) -> Iterator[Database]:
    """The test's own database, without an application."""
    database = Database(database_url)
    yield database
    database.dispose()


# --- An application -----------------------------------------------------------


@pytest.fixture(scope="session", autouse=True)
def catalogues_compiled_once() -> Iterator[None]:
    """Compiling the translations takes a third of the time in which an application is made."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(languages, "_read", CompiledCatalogues(languages._read))
        yield


@pytest.fixture(scope="session", autouse=True)
def callers_found_without_source() -> Iterator[None]:
    """pyramid_jinja2 looks for the package that includes it. It needs no source lines, and reading
    them takes a sixth of the time in which an application is made.
    """
    with pytest.MonkeyPatch.context() as patch:
        without_source = SimpleNamespace(stack=partial(inspect.stack, 0))
        patch.setattr(pyramid_jinja2._PackageFinder, "inspect", without_source)
        yield


@pytest.fixture
def settings_values(database_url: str) -> dict[str, str]:
    """Settings as an .ini file gives them: in development, and every email is captured."""
    return shop_settings(database_url)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_app(clock: Clock, database_url: str) -> Iterator[MakeApp]:
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
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """The application. It captures emails; where they have to go out, tests put ``sending_app`` or
    ``scripted_app`` in its place.
    """
    return make_app(settings_values)


@pytest.fixture
def database(app: Router) -> Database:
    """The application's database."""
    return app.registry.database


@pytest.fixture
def browser(app: Router) -> TestApp:
    """A browser without JavaScript."""
    return another_browser(app)


# --- Relays -------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """The certificate of the tests' relays."""
    return issue(tmp_path_factory.mktemp("certificates"), "relay", "localhost", "127.0.0.1")


@pytest.fixture
def other_certificate(tmp_path: Path) -> Certificate:
    """A certificate for the same host by an authority that nobody trusts."""
    return issue(tmp_path, "stranger", "localhost", "127.0.0.1")


@pytest.fixture
def relay(certificate: Certificate) -> Iterator[Relay]:
    """A relay with STARTTLS, AUTH and PIPELINING."""
    with Relay(certificate) as relay:
        yield relay


@pytest.fixture
def sending_values(settings_values: dict[str, str], relay: Relay) -> dict[str, str]:
    """Settings with which emails really go out, to ``relay``."""
    return settings_values | through(relay)


@pytest.fixture
def sending_app(make_app: MakeApp, sending_values: dict[str, str]) -> Router:
    """The application that sends through ``relay``."""
    return make_app(sending_values)


@pytest.fixture
def scripted(certificate: Certificate) -> ScriptedSMTP:
    """A relay that a test can make misbehave. It does everything right so far, and is not started:
    the test starts it, or ``scripted_values`` does.
    """
    return ScriptedSMTP(certificate)


@pytest.fixture
def scripted_values(
    settings_values: dict[str, str], scripted: ScriptedSMTP
) -> Iterator[dict[str, str]]:
    """Settings with which emails really go out, to ``scripted``, which is started."""
    with scripted:
        yield settings_values | through(scripted)


@pytest.fixture
def scripted_app(make_app: MakeApp, scripted_values: dict[str, str]) -> Router:
    """The application that sends through ``scripted``, which is started."""
    return make_app(scripted_values)


# --- Stripe -------------------------------------------------------------------


@pytest.fixture
def stripe(clock: Clock) -> Iterator[FakeStripe]:
    """A fake of Stripe's API, whose time is the test's. ``stripe.settings()`` leads there."""
    with FakeStripe(clock) as stripe:
        yield stripe


# --- The outbox and its workers -----------------------------------------------


@pytest.fixture
def outbox(app: Router) -> Outbox:
    """The application's outbox."""
    return Outbox(app.registry)


@pytest.fixture
def hire(make_app: MakeApp) -> Iterator[Hire]:
    """Makes workers of applications. Whatever becomes of the test, they stop at its end."""
    workers: list[Delivery] = []

    def hire(app: Router) -> Delivery:
        workers.append(Delivery(app.registry))
        return workers[-1]

    yield hire
    for worker in workers:
        worker.stop(seconds=1)


@pytest.fixture
def delivery(app: Router, hire: Hire) -> Delivery:
    """A worker that is not started: ``run_once`` delivers what is due."""
    return hire(app)
