"""A request's transaction, and the short ones beside it.

A request owns one transaction. It commits when the view returns and rolls back when the view
raises. GET, HEAD and OPTIONS get a read-only transaction, which the database itself enforces; every
other request gets a writing one, which begins with its first statement.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import zope.sqlalchemy
from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy.orm import Session

from app.database.engine import Database

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def dbsession(request: Request) -> Session:
    """``request.dbsession``: a session in the request's transaction."""
    database: Database = request.registry.database
    engine = database.reading if request.method in READ_METHODS else database.writing
    session = Session(engine)
    zope.sqlalchemy.register(session, transaction_manager=request.tm)
    return session


def now(request: Request) -> datetime:
    """``request.now``: one time for the whole request."""
    clock: Callable[[], datetime] = request.registry.clock
    return clock()


@contextmanager
def short_transaction(registry: Registry, *, write: bool) -> Iterator[Session]:
    """A transaction beside the request's, for what must not wait for its end (session look-ups,
    limits, settle on a GET).

    On SQLite, never open a writing one after the request's own transaction has begun to write: it
    would wait for the lock that the request holds.
    """
    database: Database = registry.database
    with database.transaction(write=write) as session:
        yield session
