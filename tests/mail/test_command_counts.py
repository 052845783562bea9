"""Counts of short commands: the process that Prometheus asks next takes them, once."""

import logging
import sqlite3
from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import make_url, select

from app.database.engine import Database
from app.mail import command_counts
from app.mail.command_counts import MetricCount
from app.mail.metrics import EVENTS, METRICS
from tests.support.accounts import recorded_statements
from tests.support.databases import on_sqlite


def heard(event: str = "bounced") -> float:
    return METRICS.get_sample_value("pillarbox_events_total", {"event": event}) or 0.0


def rows(database: Database) -> list[tuple[Any, ...]]:
    with database.transaction(write=False) as session:
        found = session.execute(select(MetricCount.name, MetricCount.labels, MetricCount.number))
        return [tuple(row) for row in found]


def count(database: Database, number: int) -> None:
    """A command that counts ``number`` bounces."""
    with command_counts.handed_over(database):
        EVENTS.labels("bounced").inc(number)


def test_commands_add_up_and_one_scrape_takes_all(plain_database: Database) -> None:
    EVENTS.labels("bounced").inc()
    count(plain_database, 2)
    count(plain_database, 3)
    assert rows(plain_database) == [("pillarbox_events_total", '{"event": "bounced"}', 5)]
    before = heard()
    command_counts.take(plain_database)
    command_counts.take(plain_database)
    assert heard() == before + 5
    assert rows(plain_database) == []


def test_a_command_that_fails_leaves_what_it_had_counted(plain_database: Database) -> None:
    def fail() -> None:
        with command_counts.handed_over(plain_database):
            EVENTS.labels("bounced").inc()
            raise SystemExit(1)

    with pytest.raises(SystemExit):
        fail()
    assert [number for _, _, number in rows(plain_database)] == [1]


def test_a_command_that_counted_nothing_asks_no_database(plain_database: Database) -> None:
    with (
        recorded_statements(plain_database) as statements,
        command_counts.handed_over(plain_database),
    ):
        pass
    assert statements == []


@on_sqlite
def test_a_locked_database_costs_the_counts_and_no_error(
    plain_database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    count(plain_database, 1)
    before = heard()
    monkeypatch.setattr("app.database.sqlite.SQLITE_BUSY_SECONDS", 0.1)
    monkeypatch.setattr(command_counts, "TAKING_SECONDS", 0.1)
    path = str(plain_database.engine.url.database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        command_counts.take(plain_database)
        assert heard() == before
        count(plain_database, 1)
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "counts of commands wait for the next scrape",
        "counts of this command are lost",
    ]
    command_counts.take(plain_database)
    assert heard() == before + 2


def test_a_scrape_does_not_wait_for_a_command(
    postgresql_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    limited = make_url(postgresql_url).update_query_dict({"options": "-c lock_timeout=1000"})
    database = Database(limited.render_as_string(hide_password=False))
    count(database, 1)
    before = heard()
    with database.transaction(write=True) as session:
        session.execute(select(MetricCount).with_for_update())
        command_counts.take(database)
        assert heard() == before
    command_counts.take(database)
    assert heard() == before + 1
    assert caplog.text == ""
    database.dispose()


def test_a_database_that_is_away_costs_the_counts_and_no_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    count(Database("postgresql+psycopg://nobody@127.0.0.1:1/nowhere"), 1)
    assert "counts of this command are lost" in caplog.text
