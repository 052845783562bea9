"""The databases find due emails by an index, whatever else the outbox holds."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, func, insert, select, text
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail.outbox.claims import claim, has_due
from app.mail.outbox.tables import OutboxEmail
from tests.support.clock import Clock
from tests.support.databases import on_postgresql
from tests.support.outbox import Outbox


def plan(session: Session, look: Callable[[], Any]) -> str:
    """The database's plan for the last search for emails that ``look`` makes. The plan fits any
    parameters.
    """
    searches: list[tuple[str, Any]] = []

    def note(_: Connection, __: Any, statement: str, parameters: Any, *more: Any) -> None:
        if re.search(r"FROM outbox_email\b.*\bLIMIT\b", statement, re.DOTALL):
            searches.append((statement, parameters))

    connection = session.connection()
    event.listen(connection, "before_cursor_execute", note)
    look()
    event.remove(connection, "before_cursor_execute", note)
    statement, parameters = searches[-1]
    if connection.dialect.name == "sqlite":
        rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        return "\n".join(row[-1] for row in rows)
    # A prepared statement ends up with this kind of plan, which does not depend on parameters.
    names = list(dict.fromkeys(re.findall(r"%\((\w+)\)s", statement)))
    for number, name in enumerate(names, 1):
        statement = statement.replace(f"%({name})s", f"${number}")
    return "\n".join(session.scalars(text(f"EXPLAIN (GENERIC_PLAN) {statement}")))


@pytest.fixture
def backlog(outbox: Outbox) -> None:
    """A new outbox, of which the database has no statistics yet."""
    first = outbox.write(0, text="A letter, " * 150)
    columns = [column.name for column in OutboxEmail.__table__.columns if column.name != "id"]
    row = {name: getattr(first, name) for name in columns}
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(
            insert(OutboxEmail),
            [row | {"key": str(n), "message_id": f"<{n}@localhost>"} for n in range(3000)],
        )


@pytest.mark.usefixtures("backlog")
def test_a_claim_walks_the_index_and_sorts_nothing(database: Database, clock: Clock) -> None:
    with database.transaction(write=True) as session:
        found = plan(session, lambda: claim(session, "lock-1", clock(), 20))
    assert "ix_outbox_email_due" in found
    assert "Sort" not in found
    assert "TEMP B-TREE" not in found


@pytest.mark.usefixtures("backlog")
def test_whether_anything_is_due_is_seen_in_the_index(database: Database, clock: Clock) -> None:
    with database.transaction(write=False) as session:
        found = plan(session, lambda: has_due(session, clock()))
    assert "ix_outbox_email_due" in found


@on_postgresql
def test_postgresql_compiles_no_query_of_a_claim(database: Database, clock: Clock) -> None:
    with database.transaction(write=True) as session:
        claim(session, "lock-1", clock(), 20)
        assert session.scalar(select(func.current_setting("jit"))) == "off"
    with database.transaction(write=False) as session:
        assert session.scalar(select(func.current_setting("jit"))) == "on"
