"""Alembic runs this file for every command. It applies the migrations to the engine that
`app.migrations` passes on.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

from alembic import context
from sqlalchemy import Engine, func, select

import app.accounts.models
import app.database.owner
import app.mail.command_counts
import app.mail.delivery.relay
import app.mail.outbox.event_tables
import app.mail.outbox.tables
import app.shop.models
import app.staff.models
import app.web.limits  # noqa: F401 (the models register themselves with Base)
from app.database.base import Base, UTCDateTime


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write our column types as SQLAlchemy's own, because ours may change, and a
    migration must not.
    """
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """Let one process migrate at a time, because servers that start together would create the same
    tables. On SQLite the one transaction around all migrations does that.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    # A separate transaction holds the lock while the migrations run. A lock of the session could
    # stay behind on a pooler's connection, and the next migration would wait for ever.
    with engine.connect() as connection:
        # Workers' locks have one number. Two numbers make this a different lock.
        connection.execute(select(func.pg_advisory_xact_lock(2, 0)))
        yield


engine: Engine = context.config.attributes["engine"]
report: Callable[[str], None] = context.config.attributes["report"]
with alone(engine), engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        render_item=render_item,
        # SQLite alters a table by copying it.
        render_as_batch=connection.dialect.name == "sqlite",
        # Alembic reads the revision in the first transaction. On SQLite a second process could
        # migrate between two transactions, so there is only one.
        on_version_apply=lambda step, **_: report(step.up_revision_id),
        transaction_per_migration=connection.dialect.name == "postgresql",
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
