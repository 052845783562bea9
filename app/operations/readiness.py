"""Whether a database is ready for this application: it can be reached, it has this version's
tables, and it belongs to this site.

A copy of production that is started somewhere else would send every queued email a second time, and
write into links that lead to the wrong place. So a database remembers the site it belongs to, the
host of ``site.base_url``, and whoever starts on it for another site writes nothing and ends.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from pyramid.registry import Registry
from sqlalchemy import CheckConstraint, String, inspect, select, update
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.base import Base, insert_for
from app.database.engine import Database
from app.database.errors import DatabaseBusy
from app.migrations import revision_of, revisions

THIS_MACHINE = "localhost"
"""What all loopback addresses are called: they are one site, whatever the port."""


class Owner(Base):
    """The site that the database belongs to, in the one row of its table."""

    __tablename__ = "site"

    id: Mapped[int] = mapped_column(primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    since: Mapped[datetime]

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class NotReady(Exception):
    """The database cannot be used: ``reason`` in two words, the text with what to do."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(advice)
        self.reason = reason


class NotMigrated(NotReady):
    """The database lacks tables that a migration makes."""


def require_tables(registry: Registry) -> None:
    """Raise ``NotReady`` unless the database can be reached and has this version's tables,
    ``NotMigrated`` when it can get them.
    """
    if require_known_tables(registry) != revisions()[-1]:
        raise NotMigrated(
            "database not migrated",
            "The database does not have the tables of this version. Run:"
            f" pillarbox migrate {_ini(registry)}",
        )


def require_known_tables(registry: Registry) -> str | None:
    """Raise ``NotReady`` unless the database can be reached and migrations know its revision, which
    is returned: None when it has no tables yet.
    """
    database: Database = registry.database
    if _is_not_there(database):
        return None
    with reaching():
        revision = revision_of(database.reading)
    if revision is not None and revision not in revisions():
        raise NotReady(
            "database of another version",
            "The database has the tables of another version of Pillarbox, with the revision"
            f" {revision}, which this one does not know. Install that version, or a later one.",
        )
    return revision


def require_no_other_owner(registry: Registry) -> None:
    """Raise ``NotReady`` when the database belongs to another site. One without tables, or not
    there at all, belongs to nobody.
    """
    database: Database = registry.database
    if _is_not_there(database):
        return
    with reaching(), database.reading.connect() as connection:
        theirs = None
        if inspect(connection).has_table(Owner.__tablename__):
            theirs = connection.scalar(select(Owner.host))
    _compare(theirs, registry)


def require_ours(registry: Registry) -> None:
    """Raise ``NotReady`` unless the database is ready and belongs to this site. A database that
    belongs to nobody yet becomes this site's.
    """
    database: Database = registry.database
    require_tables(registry)
    with reaching(), database.transaction(write=False) as session:
        theirs = owner(session)
    if theirs is None:
        with reaching(), database.transaction(write=True) as session:
            ours = site_of(registry.pillarbox.site.base_url)
            claim = insert_for(session, Owner).values(id=1, host=ours, since=registry.clock())
            session.execute(claim.on_conflict_do_nothing())
            theirs = owner(session)
    _compare(theirs, registry)


def _is_not_there(database: Database) -> bool:
    """Whether SQLite would make an empty file to look into."""
    path = database.engine.url.database
    is_path = bool(path) and path != ":memory:" and not str(path).startswith("file:")
    return database.is_sqlite and is_path and not Path(str(path)).exists()


def _compare(theirs: str | None, registry: Registry) -> None:
    ours = site_of(registry.pillarbox.site.base_url)
    if theirs not in (None, ours):
        raise NotReady(
            "database of another site",
            f"This database belongs to {theirs}, and site.base_url is on {ours}. Nothing was"
            " written.\nCorrect database.url or site.base_url. If this is a copy, or the shop has"
            f" moved, make it the database of {ours}: pillarbox adopt {_ini(registry)}",
        )


def _ini(registry: Registry) -> str:
    """The .ini file, as a command takes it."""
    return str(registry.settings.get("__file__", "INI"))


@contextmanager
def reaching() -> Iterator[None]:
    """Raise ``NotReady`` when the database cannot be reached, or not be written to just now."""
    try:
        yield
    except DatabaseBusy as error:
        raise NotReady(
            "database busy",
            "The database is held by another program, and nothing was written. Try again when that"
            " has finished.",
        ) from error
    except (IntegrityError, DataError):
        # Our own mistake, and no database's.
        raise
    except DBAPIError as error:
        words = str(error.orig).strip() or type(error.orig).__name__
        raise NotReady(
            "database unreachable",
            f"The database cannot be used: {words.splitlines()[0]}\n"
            "Check that it runs, and database.url.",
        ) from error


def adopt(session: Session, base_url: str, now: datetime) -> str | None:
    """Make the database that of the site at ``base_url``. Returns which site it belonged to until
    now, or None when it was nobody's or this site's.
    """
    ours, theirs = site_of(base_url), owner(session)
    if theirs is None:
        session.add(Owner(id=1, host=ours, since=now))
    elif theirs != ours:
        session.execute(update(Owner).values(host=ours, since=now))
        return theirs
    return None


def owner(session: Session) -> str | None:
    """The site that the database belongs to."""
    return session.scalar(select(Owner.host))


def site_of(base_url: str) -> str:
    """The site of a base URL: its host, or ``localhost`` for every address of this machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        is_this_machine = ipaddress.ip_address(host).is_loopback
    except ValueError:
        # RFC 6761 6.3: localhost and every name under it.
        is_this_machine = host == THIS_MACHINE or host.endswith(f".{THIS_MACHINE}")
    return THIS_MACHINE if is_this_machine else host
