"""Errors of the database: which are worth a second try, and what a log may say about one."""

from sqlalchemy.engine import ExceptionContext
from transaction.interfaces import TransientError


class DatabaseBusy(TransientError):
    """The database could not take the write now ("database is locked", a deadlock). The same
    request may succeed when it is tried again.
    """


def raise_busy(context: ExceptionContext) -> None:
    """SQLAlchemy's ``handle_error`` event: raise ``DatabaseBusy`` in place of a transient error."""
    original = context.original_exception
    sqlstate = getattr(original, "sqlstate", None) or ""
    # Class 40 is "transaction rollback" in the SQL standard: serialisation failures and deadlocks.
    if "database is locked" in str(original) or sqlstate.startswith("40"):
        raise DatabaseBusy(str(original)) from original


def describe(error: Exception) -> str:
    """What a log may say about a database's error, whichever library raised it.

    The first line of an error about reaching the database. For any other error only the name of
    its type, since its text may quote a row.
    """
    if isinstance(error, DatabaseBusy):
        return str(error)
    if any(cls.__name__ == "OperationalError" for cls in type(error).__mro__):
        return str(getattr(error, "orig", error)).strip().partition("\n")[0]
    return type(error).__name__
