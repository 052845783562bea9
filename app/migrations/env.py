"""What Alembic runs for every command: the migrations, on the engine that app.migrations hands
over.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

from alembic import context
from sqlalchemy import Engine, func, select

import app.accounts.models
import app.mail.delivery.relay
import app.mail.outbox.tables
import app.operations.readiness
import app.shop.models  # noqa: F401 (the models register themselves with Base)
from app.database.base import Base, UTCDateTime


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Migrations spell our types in SQLAlchemy's own, since ours may change and a migration must
    not.
    """
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    return False


@contextmanager
def alone(engine: Engine) -> Iterator[None]:
    """One migration at a time: servers that start together would make the same tables. SQLite has
    one writer anyway.
    """
    if engine.dialect.name != "postgresql":
        yield
        return
    # Held by a transaction beside the migrations' own ones, since a pooler would leave a lock
    # without one to strangers, and the next migration would wait for ever.
    with engine.connect() as connection:
        # Two numbers, so that it is none of the workers' locks, which have one.
        connection.execute(select(func.pg_advisory_xact_lock(2, 0)))
        yield


engine: Engine = context.config.attributes["engine"]
with alone(engine), engine.connect() as connection:
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
