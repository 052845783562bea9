"""What every table is built from: the models' base class, the type of their times, and an INSERT
that both databases accept.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, DateTime, Dialect, Integer, MetaData, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """A point in time, always aware and in UTC. PostgreSQL stores it with a time zone, SQLite
    without one. Raises ``ValueError`` for a naive time.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone; times are stored in UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of every model. It names constraints by rule, so that migrations can refer to them
    on both databases.
    """

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_label)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime()}  # noqa: RUF012 (SQLAlchemy reads it so)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        table = cls.__table__
        if isinstance(table, Table) and "id" in table.c and isinstance(table.c.id.type, Integer):
            # Without AUTOINCREMENT, SQLite reuses the id of a deleted last row, and idempotency
            # keys of emails are made of ids.
            table.dialect_options["sqlite"]["autoincrement"] = True


def insert_for(session: Session | Connection, model: type[Base]) -> Any:
    """The INSERT of the session's database. Both offer
    ``.on_conflict_do_nothing().returning(...)``.
    """
    bind = session if isinstance(session, Connection) else session.get_bind()
    dialect = sqlite if bind.dialect.name == "sqlite" else postgresql
    return dialect.insert(model)
