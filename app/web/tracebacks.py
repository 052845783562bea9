"""Tracebacks for the log. They leave out the messages of databases, which quote stored values."""

import traceback
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

DATABASE_DRIVERS = {"sqlite3", "psycopg"}


def traceback_of(error: BaseException) -> str:
    """The frames of ``error`` and of the errors that caused it, the first cause first."""
    parts = [
        "".join(traceback.format_tb(cause.__traceback__)) + _describe(cause)
        for cause in _causes(error)
    ]
    return "\nwhich led to\n".join(reversed(parts))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _describe(error: BaseException) -> str:
    kind = type(error)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(error, SQLAlchemyError) or kind.__module__.split(".")[0] in DATABASE_DRIVERS:
        return name
    return f"{name}: {error}"
