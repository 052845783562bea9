"""The relay's rest: no worker tries a relay that cannot be reached, verified or logged in to, or
that refuses us: our login, our sender, our rate or our quota.

The workers share one row for each relay. No worker tries the relay before ``blocked_until``. After
that time one worker probes it, the first to update the row, and the others wait for its result.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, String, Text, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from app.database.base import Base, insert_for
from app.mail.smtp.reply_text import without_addresses
from app.settings.declarations import Email

log = logging.getLogger(__name__)

FIRST_REST = timedelta(seconds=1)
LONGEST_REST = timedelta(seconds=60)
LONGEST_QUOTA_REST = timedelta(minutes=15)
PROBE = timedelta(seconds=60)
"""How long other workers wait for the one that probes the relay. A connection is set up in less."""


class Relay(Base):
    """A relay by its ``host:port``."""

    __tablename__ = "relay"

    name: Mapped[str] = mapped_column(String(320), primary_key=True)
    blocked_until: Mapped[datetime | None]
    reason: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(default=0)
    """How many rests followed each other without a success between them. Each doubles the next."""


@dataclass(frozen=True, slots=True)
class Rest:
    """Until when no worker tries the relay, and why."""

    until: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class RelayProblem:
    """Why the relay has to rest, in its own words. ``is_quota``: our quota is used up."""

    reason: str
    is_quota: bool = False


def name_of(settings: Email) -> str:
    """The name of the relay in the settings: ``host:port``."""
    return f"{settings.smtp_server}:{settings.smtp_port}"


def may_try(session: Session, name: str, now: datetime) -> int | None:
    """The relay's failures in a row, if this worker may connect: the relay does not rest, or this
    worker is the one to probe it. None if it may not.

    A clock that was ahead may have written a rest that ends too late. It counts as over.
    """
    row = session.execute(
        select(Relay.blocked_until, Relay.failures).where(Relay.name == name)
    ).first()
    if row is None or row.blocked_until is None:
        return 0
    if now < row.blocked_until <= now + LONGEST_QUOTA_REST:
        return None
    probing = session.execute(
        update(Relay)
        .where(Relay.name == name, Relay.blocked_until == row.blocked_until)
        .values(blocked_until=now + PROBE)
        .execution_options(synchronize_session=False)
    )
    return row.failures if probing.rowcount == 1 else None  # type: ignore[attr-defined]


def record(
    connection: Connection,
    name: str,
    now: datetime,
    *,
    seen: int,
    reached: bool,
    problem: RelayProblem | None,
) -> str | None:
    """Write into the relay's row how a batch ended: with a ``problem``, with the relay ``reached``,
    or without an attempt to reach it. ``seen`` is what ``may_try`` returned.

    Returns the reason why the batch's remaining emails wait, if the relay rests now.
    """
    if problem is None:
        if not reached:
            # This worker did not make its probe, so another one may probe at once.
            connection.execute(
                update(Relay)
                .where(Relay.name == name, Relay.failures == seen, Relay.blocked_until > now)
                .values(blocked_until=now)
            )
        elif seen and end_rest(connection, name, seen):
            log.info("relay available again: relay=%s", name)
        return None
    until = begin_rest(connection, name, now, problem, seen)
    # The reason also goes into the rows of other customers, who must not read an address in it.
    reason = without_addresses(problem.reason)
    log.error("relay rests: relay=%s until=%s reason=%s", name, until.isoformat(), reason)
    return f"waits for the relay: {reason}"


def begin_rest(
    connection: Connection, name: str, now: datetime, problem: RelayProblem, seen: int
) -> datetime:
    """Make the relay rest, twice as long each time up to a minute, or up to 15 minutes when our
    quota is used up. Returns when the rest ends.

    ``seen`` is what ``may_try`` returned. When it is out of date, another worker has reported the
    same failure and the rest stays as it is.
    """
    connection.execute(
        insert_for(connection, Relay).values(name=name, failures=0).on_conflict_do_nothing()
    )
    until, failures = connection.execute(
        select(Relay.blocked_until, Relay.failures).where(Relay.name == name).with_for_update()
    ).one()
    if until is None or failures <= seen:
        longest = LONGEST_QUOTA_REST if problem.is_quota else LONGEST_REST
        until = now + min(FIRST_REST * 2 ** min(failures, 10), longest)
        connection.execute(
            update(Relay)
            .where(Relay.name == name)
            .values(blocked_until=until, reason=problem.reason, failures=failures + 1)
        )
    return until


def end_rest(connection: Connection, name: str, seen: int) -> bool:
    """End the rest of a relay that replied. Returns whether it had one.

    ``seen`` is what ``may_try`` returned. A rest that began after that stays.
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


def rest(session: Session, name: str, now: datetime) -> Rest | None:
    """The relay's present rest, or None."""
    row = session.execute(
        select(Relay.blocked_until, Relay.reason).where(
            Relay.name == name,
            Relay.blocked_until > now,
            Relay.blocked_until <= now + LONGEST_QUOTA_REST,
        )
    ).first()
    return None if row is None else Rest(row.blocked_until, row.reason or "")
