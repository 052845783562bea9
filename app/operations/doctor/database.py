"""Whether the database can be reached and written to, has this version's tables, belongs to this
site, and agrees with this machine about the time.
"""

from collections.abc import Iterator
from datetime import timedelta

from pyramid.registry import Registry
from sqlalchemy import func, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.database.clock import utc_clock
from app.database.engine import Database
from app.database.errors import DatabaseBusy, describe
from app.mail.delivery.relay import Relay
from app.operations.doctor.findings import Finding, ok, problem, warning
from app.operations.readiness import (
    NotReady,
    database_errors_as_not_ready,
    require_migrated_database,
    require_no_other_owner,
)

CLOCKS_DIFFER = timedelta(seconds=5)
"""From this difference on, times in logs of two machines are hard to compare."""


def check(registry: Registry) -> Iterator[Finding]:
    """Yield the findings. After a problem, nothing else can be checked in the database."""
    database: Database = registry.database
    try:
        require_migrated_database(registry)
        require_no_other_owner(registry)
    except NotReady as not_ready:
        yield problem(not_ready.reason, str(not_ready))
        return
    yield ok(f"{database.engine.dialect.name}, reached and migrated")
    yield _writable(database)
    if not database.is_sqlite:
        yield _clocks(database)


def _writable(database: Database) -> Finding:
    try:
        with database.writing.connect() as connection, connection.begin() as transaction:
            connection.execute(update(Relay).values(failures=Relay.failures))
            transaction.rollback()
    except DatabaseBusy:
        return problem(
            "another program holds the database's write lock",
            "Find the program that does, such as a backup or a shell, and end it.",
        )
    except SQLAlchemyError as error:
        return problem(
            f"it cannot be written to: {describe(error)}",
            "Give the account that Pillarbox runs as the right to write, and look for a full disk.",
        )
    return ok("it can be written to")


def _clocks(database: Database) -> Finding:
    with database_errors_as_not_ready(), database.reading.connect() as connection:
        before = utc_clock()
        server = connection.scalar(select(func.clock_timestamp()))
        ours = before + (utc_clock() - before) / 2
    if server is None or abs(server - ours) < CLOCKS_DIFFER:
        return ok("its clock and this machine's agree")
    seconds = round((ours - server).total_seconds())
    return warning(
        f"this machine's clock is {abs(seconds)} seconds {'ahead of' if seconds > 0 else 'behind'}"
        " the database's clock, which Pillarbox uses",
        "Set both by NTP.",
    )
