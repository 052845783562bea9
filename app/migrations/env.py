"""What Alembic runs for every command: the migrations, on the engine that app.migrations hands
over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection, func, select

import app.accounts.models
import app.mail.relay
import app.mail.tables
import app.readiness
import app.shop.models  # noqa: F401 (the models register themselves with Base)
from app.database import Base, UTCDateTime


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Migrations spell our types in SQLAlchemy's own, since ours may change and a migration must
    not.
    """
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


@contextmanager
def alone(connection: Connection) -> Iterator[None]:
    """One migration at a time: servers that start together would make the same tables. SQLite has
    one writer anyway.
    """
    if connection.dialect.name != "postgresql":
        yield
        return
    # Two numbers, so that it is none of the workers' locks, which have one.
    numbers = 2, 0
    connection.execute(select(func.pg_advisory_lock(*numbers)))
    connection.commit()
    try:
        yield
    finally:
        connection.rollback()
        connection.execute(select(func.pg_advisory_unlock(*numbers)))
        connection.commit()


with context.config.attributes["engine"].connect() as connection, alone(connection):
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        # SQLite alters a table by copying it.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
