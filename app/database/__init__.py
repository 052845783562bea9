"""The database: engine, transactions, what SQLite and PostgreSQL each need, and what every table is
built from. Tables and queries of a domain stand in the domain; the migrations in `app.migrations`.

A request owns one transaction. It commits when the view returns and rolls back when the view
raises. GET, HEAD and OPTIONS get a read-only transaction, which the database itself enforces; every
other request gets a writing one, which begins with its first statement.
"""

from contextlib import AbstractContextManager
from datetime import datetime

import zope.sqlalchemy
from pyramid.config import Configurator
from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy.orm import Session

from app.database.engine import Database

READ_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


def includeme(config: Configurator) -> None:
    """Give the application ``registry.database``, ``registry.clock``, ``request.dbsession`` (a
    session in the request's transaction) and ``request.now`` (one time for the whole request).
    """
    config.include("app.settings")
    config.include("app.database.housekeeping")
    config.add_settings({"tm.manager_hook": "pyramid_tm.explicit_manager", "retry.attempts": 3})
    config.include("pyramid_retry")
    config.include("pyramid_tm")
    config.registry.database = Database(config.registry.pillarbox.database.url)
    config.registry.clock = config.registry.database.clock
    config.add_request_method(_dbsession, "dbsession", reify=True)
    config.add_request_method(_now, "now", reify=True)


def _dbsession(request: Request) -> Session:
    database: Database = request.registry.database
    engine = database.reading if request.method in READ_METHODS else database.writing
    session = Session(engine)
    zope.sqlalchemy.register(session, transaction_manager=request.tm)
    return session


def _now(request: Request) -> datetime:
    now: datetime = request.registry.clock()
    return now


def short_transaction(registry: Registry, *, write: bool) -> AbstractContextManager[Session]:
    """A transaction beside the request's, for what must not wait for its end (session look-ups,
    limits, settle on a GET).

    On SQLite, never open a writing one after the request's own transaction has begun to write: it
    would wait for the lock that the request holds.
    """
    database: Database = registry.database
    return database.transaction(write=write)
