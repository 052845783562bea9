"""Liveness: the lock that proves that a worker lives, and how others see that it is dead."""

import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.database.postgresql import LIBPQ_SETTINGS
from app.mail.delivery.liveness import LEASED, LOCKED, AdvisoryLock, liveness_for
from tests.support.databases import on_postgresql, on_sqlite
from tests.support.pooler import BACKENDS, Pooler


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, object]]:
    """The settings of every connection that psycopg was asked for."""
    asked: list[dict[str, object]] = []
    connect = psycopg.connect

    def note(**settings: object) -> object:
        asked.append(settings)
        return connect(**settings)  # type: ignore[arg-type]

    monkeypatch.setattr(psycopg, "connect", note)
    return asked


@pytest.fixture
def behind_a_pooler(postgresql_url: str) -> Iterator[Engine]:
    """An engine each of whose transactions gets another backend."""
    with Pooler(postgresql_url) as pooler:
        engine = Database(pooler.url).engine
        yield engine
        engine.dispose()


@pytest.fixture
def behind_a_quiet_pooler(postgresql_url: str) -> Iterator[Engine]:
    """An engine that gets the same backend each time while it has only one connection."""
    with Pooler(postgresql_url, last_first=True) as pooler:
        engine = create_engine(pooler.url)
        yield engine
        engine.dispose()


def test_a_worker_is_dead_once_its_lock_is_free(database: Database) -> None:
    worker, other = liveness_for(database.engine), liveness_for(database.engine)
    try:
        with database.transaction(write=True) as session:
            assert not other.is_dead(session, worker.worker)
            assert not worker.is_dead(session, worker.worker)
            assert not other.is_dead(session, f"{LEASED}1")
        worker.close()
        with database.transaction(write=True) as session:
            assert other.is_dead(session, worker.worker)
    finally:
        other.close()


def test_a_lock_proves_the_life_of_one_name_only(database: Database) -> None:
    worker = liveness_for(database.engine)
    assert worker.is_held(worker.worker)
    assert not worker.is_held(f"{LOCKED}1")
    worker.close()
    assert not worker.is_held(worker.worker)


@on_postgresql
def test_the_workers_own_connection_notices_a_cut_line(
    database: Database, connected: list[dict[str, object]]
) -> None:
    AdvisoryLock(database.engine).close()
    assert LIBPQ_SETTINGS.items() <= connected[0].items()


@on_postgresql
def test_connection_settings_in_the_url_win(
    database_url: str, connected: list[dict[str, object]]
) -> None:
    database = Database(f"{database_url}&tcp_user_timeout=3000&connect_timeout=9")
    AdvisoryLock(database.engine).close()
    assert connected[0]["tcp_user_timeout"] == "3000"
    assert connected[0]["connect_timeout"] == "9"
    assert connected[0]["keepalives_idle"] == LIBPQ_SETTINGS["keepalives_idle"]


def test_a_worker_behind_a_pooler_does_without_its_lock(
    behind_a_pooler: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    worker = AdvisoryLock(behind_a_pooler)
    locked = worker.worker
    for _ in range(10):
        worker.watch(0, threading.Event())
    assert locked.startswith(LOCKED)
    assert worker.worker == LEASED + locked.removeprefix(LOCKED)
    assert worker.is_held(worker.worker)
    assert not worker.is_held(locked)
    [line] = [record.getMessage() for record in caplog.records]
    assert line.startswith("pooler before PostgreSQL")
    worker.close()


def test_a_lock_stays_until_somebody_else_gets_its_backend(behind_a_quiet_pooler: Engine) -> None:
    worker = AdvisoryLock(behind_a_quiet_pooler)
    locked = worker.worker
    # So often that psycopg prepares the statement, which another backend would not know.
    for _ in range(10):
        worker.watch(0, threading.Event())
        assert worker.is_held(locked)
    with behind_a_quiet_pooler.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        worker.watch(0, threading.Event())
    assert worker.worker == LEASED + locked.removeprefix(LOCKED)
    assert not worker.is_held(locked)
    worker.close()


def test_a_worker_is_not_taken_for_dead_when_a_pooler_lends_its_lock_to_the_asker(
    behind_a_pooler: Engine,
) -> None:
    worker, other = (AdvisoryLock(behind_a_pooler) for _ in range(2))
    for _ in range(BACKENDS * 2):
        with Session(behind_a_pooler) as session:
            assert not other.is_dead(session, worker.worker)
    worker.close()
    other.close()


@on_sqlite
def test_what_killed_workers_left_is_cleared_away_and_living_ones_are_not(
    database: Database,
) -> None:
    living = liveness_for(database.engine)
    path = Path(str(database.engine.url.database))
    folder = path.with_name(f"{path.name}-workers")
    (folder / "123456789").touch()
    another = liveness_for(database.engine)
    names = {worker.worker.removeprefix(LOCKED) for worker in (living, another)}
    assert {file.name for file in folder.iterdir()} == names
    with database.transaction(write=False) as session:
        assert not another.is_dead(session, living.worker)
        living.close()
        assert another.is_dead(session, living.worker)
    another.close()
    assert not list(folder.iterdir())
