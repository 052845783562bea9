"""Counts of a database's rows. It is for tests that ask how often something happened."""

from typing import Any

from sqlalchemy import func, select

from app.database.engine import Database


def count(database: Database, model: type[Any]) -> int:
    """How many rows of this model the database holds."""
    with database.transaction(write=False) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0
