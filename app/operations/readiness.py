"""Whether a database is ready for this application: it can be reached, it has this version's
tables, and it belongs to this site.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pyramid.registry import Registry
from sqlalchemy import inspect
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from app.database.engine import Database
from app.database.errors import DatabaseBusy
from app.database.owner import Owner, claim_for, owning_site, site_of
from app.database.private_files import path_of
from app.migrations import revision_of, revisions


class NotReady(Exception):
    """The database cannot be used. ``reason`` is a few words for ``/readyz``; the text says what to
    do.
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(advice)
        self.reason = reason


def require_migrated_database(registry: Registry) -> None:
    """Raise ``NotReady`` when the database needs a migration, cannot be reached, or has another
    version's tables.
    """
    if require_known_revision(registry) != revisions()[-1]:
        raise NotReady(
            "database not migrated",
            "The database does not have the tables of this version. Run:"
            f" pillarbox migrate {_ini(registry)}",
        )


def require_known_revision(registry: Registry) -> str | None:
    """The database's revision, None when it has no tables yet. Raises ``NotReady`` when the
    database cannot be reached, or when this version does not know the revision.
    """
    database: Database = registry.database
    if _has_no_file(database):
        return None
    with database_errors_as_not_ready():
        revision = revision_of(database.reading)
    if revision is not None and revision not in revisions():
        raise NotReady(
            "database of another version",
            "The database has the tables of another version of Pillarbox, with the revision"
            f" {revision}, which this one does not know. Install that version, or a later one.",
        )
    return revision


def require_no_other_owner(registry: Registry) -> None:
    """Raise ``NotReady`` when the database belongs to another site. A database that does not exist
    or has no tables belongs to no site.
    """
    database: Database = registry.database
    if _has_no_file(database):
        return
    with database_errors_as_not_ready(), database.reading.connect() as connection:
        has_owner = inspect(connection).has_table(Owner.__tablename__)
        owner = owning_site(connection) if has_owner else None
    _refuse_other_site(owner, registry)


def require_own_database(registry: Registry) -> None:
    """Raise ``NotReady`` unless the database is migrated and belongs to this site. A database that
    belongs to no site yet becomes this site's.
    """
    database: Database = registry.database
    require_migrated_database(registry)
    with database_errors_as_not_ready(), database.transaction(write=False) as session:
        owner = owning_site(session)
    if owner is None:
        with database_errors_as_not_ready(), database.transaction(write=True) as session:
            claim_for(session, site_of(registry.pillarbox.site.base_url), registry.clock())
            # Another site may have claimed the database in the meantime.
            owner = owning_site(session)
    _refuse_other_site(owner, registry)


@contextmanager
def database_errors_as_not_ready() -> Iterator[None]:
    """Raise ``NotReady`` when the database cannot be reached, or cannot be written to now."""
    try:
        yield
    except DatabaseBusy as error:
        raise NotReady(
            "database busy",
            "Another program holds the database, and nothing was written. Try again when that"
            " program has finished.",
        ) from error
    except (IntegrityError, DataError):
        # A mistake in our code, not a database that is not ready.
        raise
    except DBAPIError as error:
        message = str(error.orig).strip() or type(error.orig).__name__
        raise NotReady(
            "database unreachable",
            f"The database cannot be used: {message.splitlines()[0]}\n"
            "Check that it runs, and database.url.",
        ) from error


def _has_no_file(database: Database) -> bool:
    """Whether this is SQLite and the file does not exist. Connecting would create an empty one."""
    path = path_of(database.engine.url)
    return path is not None and not path.exists()


def _refuse_other_site(owner: str | None, registry: Registry) -> None:
    site = site_of(registry.pillarbox.site.base_url)
    if owner not in (None, site):
        raise NotReady(
            "database of another site",
            f"This database belongs to {owner}, and site.base_url is on {site}. Nothing was"
            " written.\nCorrect database.url or site.base_url. If this is a copy, or the shop has"
            f" moved, make it the database of {site}: pillarbox adopt {_ini(registry)}",
        )


def _ini(registry: Registry) -> str:
    """The .ini file, as a command takes it."""
    return str(registry.settings.get("__file__", "INI"))
