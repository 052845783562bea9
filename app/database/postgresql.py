"""What PostgreSQL needs: settings of its connections, and how a transaction begins."""

from typing import Any

from sqlalchemy import URL, Connection, func

ASYNCHRONOUS_COMMIT = func.set_config("synchronous_commit", "off", True)
"""A transaction that selects this commits without waiting for the disk."""

LIBPQ_SETTINGS: dict[str, int] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 10_000,
}
"""libpq's settings for every connection, in seconds and (the last) milliseconds. A database URL may
set others. With these, a lost connection is noticed and replaced before a worker's leases end.
"""

PREPARE_THRESHOLD = 5
"""How often a connection sends a statement before PostgreSQL prepares it."""


def engine_options(url: URL) -> dict[str, Any]:
    settings = {name: value for name, value in LIBPQ_SETTINGS.items() if name not in url.query}
    return {
        # A ping before each use finds a connection that died with its server.
        "pool_pre_ping": True,
        # Seconds. Each new connection also asks for the server's time again.
        "pool_recycle": 300,
        # autocommit: the driver opens no transaction itself, because `begin` does, in one round
        # trip. prepare_threshold: a pooler gives a connection to one client after another, and a
        # prepared statement would stay with it.
        "connect_args": {"autocommit": True, "prepare_threshold": None, **settings},
    }


def begin(connection: Connection) -> None:
    """SQLAlchemy's ``begin`` event: begin the kind of transaction that the options ask for."""
    options = connection.get_execution_options()
    if connection.info.get("single_statement", False):
        return
    if not options.get("pillarbox_writes", True):
        statement = "BEGIN READ ONLY"
    elif options.get("pillarbox_asynchronous_commit", False):
        statement = "BEGIN; SET LOCAL synchronous_commit = off"
    else:
        statement = "BEGIN"
    connection.exec_driver_sql(statement)
