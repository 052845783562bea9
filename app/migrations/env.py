"""What Alembic runs for every command: the migrations, on the engine that app.migrations hands
over.
"""

from typing import Any, Literal

from alembic import context

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


with context.config.attributes["engine"].connect() as connection:
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
