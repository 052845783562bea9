"""The relay as a whole: when it cannot be reached, verified or logged in to, or asks us to slow
down, everybody rests.

One row per relay, shared through the database. While ``blocked_until`` lies ahead no worker tries;
when it has passed, the one worker whose update comes first probes, and the others go on resting
until the probe has spoken.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, String, Text, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.base import Base, insert_for
from app.settings.declarations import Email

FIRST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(seconds=60)
PROBE = timedelta(seconds=60)
"""How long one worker has the relay for itself to find out whether it is back: a connection's whole
set-up and more.
"""


class Relay(Base):
    """A relay by its ``host:port``."""

    __tablename__ = "relay"

    name: Mapped[str] = mapped_column(String(320), primary_key=True)
    blocked_until: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(default=0)
    """Failures in a row; each doubles the rest."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when nobody tries the relay, and why."""

    until: datetime
    reason: str


def name_of(settings: Email) -> str:
    """The name of the settings' relay."""
    return f"{settings.smtp_server}:{settings.smtp_port}"


def may_try(session: Session, name: str, now: datetime) -> int | None:
    """How many failures in a row the relay has behind it, when this worker may open a connection:
    the relay is not blocked, or this worker is the one that probes. None when it may not.
    """
    row = session.execute(
        select(Relay.blocked_until, Relay.failures).where(Relay.name == name)
    ).first()
    if row is None or row.blocked_until is None:
        return 0
    if row.blocked_until > now:
        return None
    probing = session.execute(
        update(Relay)
        .where(Relay.name == name, Relay.blocked_until == row.blocked_until)
        .values(blocked_until=now + PROBE)
        .execution_options(synchronize_session=False)
    )
    return row.failures if probing.rowcount == 1 else None  # type: ignore[attr-defined]


def block(connection: Connection, name: str, now: datetime, reason: str, seen: int) -> datetime:
    """Give the relay a rest, each longer than the last up to a minute. Returns when it ends.

    ``seen`` is what ``may_try`` said: a worker that fails beside one that has already reported does
    not double the rest once more.
    """
    connection.execute(
        insert_for(connection, Relay).values(name=name, failures=0).on_conflict_do_nothing()
    )
    until, failures = connection.execute(
        select(Relay.blocked_until, Relay.failures).where(Relay.name == name).with_for_update()
    ).one()
    if until is None or failures <= seen:
        until = now + min(FIRST_REST * 2 ** min(failures, 10), LONGEST_REST)
        connection.execute(
            update(Relay)
            .where(Relay.name == name)
            .values(blocked_until=until, reason=reason, failures=failures + 1)
        )
    return until


def unblock(connection: Connection, name: str, seen: int) -> bool:
    """The relay has answered. True when it had been blocked. ``seen`` is what ``may_try`` said: a
    rest that began since stays.
    """
    freed = connection.execute(
        update(Relay)
        .where(
            Relay.name == name,
            Relay.failures <= seen,
            or_(Relay.blocked_until.is_not(None), Relay.failures > 0),
        )
        .values(blocked_until=None, reason=None, failures=0)
    )
    return bool(freed.rowcount)


def not_probed(connection: Connection, name: str, now: datetime, seen: int) -> None:
    """The probe that ``may_try`` allowed did not take place: somebody else may, at once."""
    connection.execute(
        update(Relay)
        .where(Relay.name == name, Relay.failures == seen, Relay.blocked_until > now)
        .values(blocked_until=now)
    )


def is_blocked(session: Session, name: str, now: datetime) -> bool:
    """Whether the relay is having a rest."""
    return rest(session, name, now) is not None


def rest(session: Session, name: str, now: datetime) -> Rest | None:
    """The rest that the relay is having, if it is."""
    row = session.execute(
        select(Relay.blocked_until, Relay.reason).where(
            Relay.name == name, Relay.blocked_until > now
        )
    ).first()
    return None if row is None else Rest(row.blocked_until, row.reason or "")
