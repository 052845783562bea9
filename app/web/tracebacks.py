"""Tracebacks for the log, without the words of databases, which quote addresses and the like."""

import traceback
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

DRIVERS = {"sqlite3", "psycopg"}


def traceback_of(error: BaseException) -> str:
    """The frames of ``error`` and of what caused it, the first cause first."""
    parts = [
        "".join(traceback.format_tb(link.__traceback__)) + _name(link) for link in _chain(error)
    ]
    return "\nwhich led to\n".join(reversed(parts))


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _name(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, SQLAlchemyError) or kind.__module__.split(".")[0] in DRIVERS:
        return name
    return f"{name}: {error}"
