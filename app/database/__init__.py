"""The database: engine, transactions, what SQLite and PostgreSQL each need, and what every table is
built from. Tables and queries of a domain stand in the domain; the migrations in `app.migrations`.

Each name is imported from the file that defines it.
"""

from pyramid.config import Configurator

from app.database.engine import Database
from app.database.request import dbsession, now


def includeme(config: Configurator) -> None:
    """Give the application ``registry.database``, ``registry.clock``, ``request.dbsession`` and
    ``request.now``.
    """
    config.include("app.settings")
    config.add_settings({"tm.manager_hook": "pyramid_tm.explicit_manager", "retry.attempts": 3})
    config.include("pyramid_retry")
    config.include("pyramid_tm")
    config.registry.database = Database(config.registry.pillarbox.database.url)
    config.registry.clock = config.registry.database.clock
    config.add_request_method(dbsession, reify=True)
    config.add_request_method(now, reify=True)
