"""Whose clock the database goes by, held connections, and asynchronous commits."""

import time
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import DBAPIError

from app.database import sqlite
from app.database.clock import utc_clock
from app.database.engine import Database
from app.database.errors import DatabaseBusy
from app.mail.delivery.relay import Relay
from tests.support.databases import on_postgresql, on_sqlite


@pytest.fixture
def database(plain_database: Database) -> Database:
    return plain_database


def names(database: Database) -> list[str]:
    with database.transaction(write=False) as session:
        return [*session.scalars(select(Relay.name).order_by(Relay.name))]


@on_postgresql
def test_machines_with_wrong_clocks_go_by_the_databases(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = utc_clock()
    monkeypatch.setattr("app.database.clock.utc_clock", lambda: right + timedelta(minutes=2))
    assert database.clock() == right + timedelta(minutes=2), "no database was asked yet"
    assert names(database) == []
    assert abs(database.clock() - right) < timedelta(seconds=30)


@on_postgresql
def test_a_machine_that_slept_knows_what_time_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert names(database) == []
    before, elapsed = database.clock(), time.clock_gettime
    # Of Linux's clocks only this one counts the time of a sleep.
    slept = {time.CLOCK_BOOTTIME: 3600}
    monkeypatch.setattr(time, "clock_gettime", lambda which: elapsed(which) + slept.get(which, 0))
    assert database.clock() - before >= timedelta(hours=1)


def test_the_clock_goes_on_and_knows_its_zone(database: Database) -> None:
    names(database)
    first, second = database.clock(), database.clock()
    assert first <= second
    assert first.utcoffset() == timedelta(0)


@pytest.mark.parametrize("way", ["transaction", "statement"])
def test_a_held_connection_commits_each_of_its_transactions(database: Database, way: str) -> None:
    with database.held_connection() as held:
        for name in ("one", "two"):
            with getattr(held, way)() as connection:
                connection.execute(insert(Relay).values(name=name, failures=0))
            assert name in names(database)
        with database.transaction(write=True) as session:
            session.add(Relay(name="zoe, beside it"))
    assert names(database) == ["one", "two", "zoe, beside it"]


def test_a_held_connection_rolls_back_what_raises(database: Database) -> None:
    with database.held_connection() as held:
        with suppress(ZeroDivisionError), held.transaction() as connection:
            connection.execute(insert(Relay).values(name="never", failures=0))
            raise ZeroDivisionError
        with held.transaction() as connection:
            connection.execute(insert(Relay).values(name="later", failures=0))
    assert names(database) == ["later"]


@on_postgresql
@pytest.mark.parametrize("way", ["transaction", "statement"])
def test_a_held_connection_that_is_lost_fails_once_and_is_replaced(
    database: Database, way: str
) -> None:
    with database.held_connection() as held:
        with held.transaction() as connection:
            backend = connection.scalar(select(func.pg_backend_pid()))
        with database.transaction(write=True) as session:
            session.execute(select(func.pg_terminate_backend(backend, 5000)))
        with pytest.raises(DBAPIError), getattr(held, way)() as connection:
            connection.execute(insert(Relay).values(name="one", failures=0))
        with getattr(held, way)() as connection:
            connection.execute(insert(Relay).values(name="two", failures=0))
    assert names(database) == ["two"]


@on_postgresql
def test_a_transaction_for_reading_cannot_write(database: Database) -> None:
    with pytest.raises(DBAPIError), database.transaction(write=False) as session:
        session.execute(insert(Relay).values(name="never", failures=0))
    assert names(database) == []


@on_postgresql
@pytest.mark.parametrize(("asynchronous", "setting"), [(True, "off"), (False, "on")])
def test_only_asynchronous_commits_do_not_wait_for_the_disk(
    database: Database, asynchronous: bool, setting: str
) -> None:
    with database.transaction(write=True, asynchronous_commit=asynchronous) as session:
        assert session.scalar(select(func.current_setting("synchronous_commit"))) == setting


@on_sqlite
def test_a_writer_beside_a_held_transaction_waits_its_turn(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "SQLITE_BUSY_SECONDS", 0.01)
    with (
        database.held_connection() as held,
        held.transaction(),
        pytest.raises(DatabaseBusy),
        database.transaction(write=True) as session,
    ):
        session.execute(insert(Relay).values(name="impatient", failures=0))
    with database.transaction(write=True) as session:
        session.add(Relay(name="patient"))
    assert names(database) == ["patient"]
