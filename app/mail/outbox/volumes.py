"""Volumes: of each kind, how many emails were asked for lately, and what became of them. Where
emails are asked for and none is accepted, something is broken, and nobody complains about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.mail.outbox.search import OUT_OF_ORDER, first_id
from app.mail.outbox.tables import OutboxEmail, State

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PATIENCE = timedelta(minutes=10)
"""A younger email has not had its time yet."""
_ACCEPTED = OutboxEmail.state.in_([State.SENT, State.BOUNCED])
# The others were held back on purpose.
_WAS_TO_GO = OutboxEmail.state.not_in(
    [State.CAPTURED, State.THROTTLED, State.SUPERSEDED, State.CANCELLED, State.SUPPRESSED]
)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many emails of a kind were asked for, accepted by the relay, and delivered as far as
    events tell. ``missed`` were asked for more than ``PATIENCE`` ago and are not accepted.
    """

    asked: int
    accepted: int
    delivered: int
    missed: int

    @property
    def is_silent(self) -> bool:
        """Whether emails had their time and the relay has accepted none."""
        return self.missed > 0 and self.accepted == 0


@dataclass(frozen=True, slots=True)
class Volume:
    """The counts of one kind in the last hour and in the last day."""

    kind: str
    hour: Counts
    day: Counts

    @property
    def is_silent(self) -> bool:
        """Whether nothing was accepted in the hour or in the day."""
        return self.hour.is_silent or self.day.is_silent


def volumes(session: Session, now: datetime) -> Sequence[Volume]:
    """The kinds that were asked for within a day before ``now``. What was held back on purpose, as
    by a limit or in debug mode, does not count.
    """
    in_hour, in_day = OutboxEmail.created_at > now - HOUR, OutboxEmail.created_at > now - DAY
    had_its_time = OutboxEmail.created_at <= now - PATIENCE
    counts = [
        func.count().filter(window, condition)
        for window in (in_hour, in_day)
        for condition in (
            _WAS_TO_GO,
            _ACCEPTED,
            OutboxEmail.delivered_at.is_not(None),
            had_its_time & ~_ACCEPTED,
        )
    ]
    rows = session.execute(
        select(OutboxEmail.kind, *counts)
        .where(OutboxEmail.id >= first_id(session, now - DAY - OUT_OF_ORDER), in_day, _WAS_TO_GO)
        .group_by(OutboxEmail.kind)
        .order_by(OutboxEmail.kind)
    )
    return [Volume(kind, Counts(*found[:4]), Counts(*found[4:])) for kind, *found in rows]
