"""Volumes: how many emails wait, and of each kind how many were asked for lately and what became of
them. Where emails are asked for and none is accepted, something is broken, and nobody complains
about it.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select, true
from sqlalchemy.orm import Session

from app.mail.outbox.search import OUT_OF_ORDER, first_id, is_in
from app.mail.outbox.tables import IS_ODD, IS_QUEUED, OutboxEmail, State
from app.mail.smtp.reply_text import without_addresses

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
PATIENCE = timedelta(minutes=10)
"""A younger email has not had its time yet."""
MOST_COUNTED = 50_000
"""More emails of a day would keep the page waiting."""
_ACCEPTED = (State.SENT, State.BOUNCED)
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


@dataclass(frozen=True, slots=True)
class Volumes:
    """The counts of each kind. ``since`` is set when there were too many emails to count: those
    written before it are left out.
    """

    kinds: Sequence[Volume]
    since: datetime | None


_WAITING = {
    State.QUEUED: (IS_QUEUED,),
    # A worker's lease lets an email be sent.
    State.SENDING: (OutboxEmail.leased_by.is_not(None), is_in(State.SENDING)),
    State.UNKNOWN: (IS_ODD, is_in(State.UNKNOWN)),
}
"""The conditions of emails that wait, are being sent or are held, each as its index has it."""


def waiting(session: Session, most: int) -> dict[State, int]:
    """How many emails are queued, being sent, and held because they are in doubt. No more than
    ``most`` of each are counted.
    """
    counts = {}
    for state, conditions in _WAITING.items():
        counted = select(OutboxEmail.id).where(*conditions).limit(most).subquery()
        counts[state] = session.scalar(select(func.count()).select_from(counted)) or 0
    return counts


def longest_overdue(session: Session, now: datetime) -> timedelta:
    """How long the email that is overdue the longest has been due. An email that the relay deferred
    is not due before its next try.
    """
    since = session.scalar(
        select(func.min(OutboxEmail.next_attempt_at)).where(
            IS_QUEUED, OutboxEmail.next_attempt_at <= now
        )
    )
    return timedelta(0) if since is None else now - since


def reasons(
    session: Session, since: datetime, states: Collection[State], most: int
) -> Sequence[tuple[State, str, int]]:
    """Why the emails that were written after ``since`` are in these states, with how many each: the
    most frequent first. No more than ``most`` emails are counted.

    The reasons are without addresses. So replies that quote the recipient count as one reason, and
    a log may hold them.
    """
    recent = (
        select(OutboxEmail.state, OutboxEmail.reason)
        .where(
            OutboxEmail.id >= first_id(session, since - OUT_OF_ORDER),
            OutboxEmail.created_at > since,
            OutboxEmail.state.in_(states),
        )
        .limit(most)
        .subquery()
    )
    rows = session.execute(
        select(recent.c.state, recent.c.reason, func.count()).group_by(
            recent.c.state, recent.c.reason
        )
    )
    counts: Counter[tuple[State, str]] = Counter()
    for state, reason, count in rows:
        counts[State(state), without_addresses(reason or "no reason")] += count
    most_frequent = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [(state, reason, count) for (state, reason), count in most_frequent]


def volumes(session: Session, now: datetime, most: int = MOST_COUNTED) -> Volumes:
    """The kinds that were asked for within a day before ``now``. What was held back on purpose, as
    by a limit or in debug mode, does not count. Only the newest ``most`` emails are counted.
    """
    counted = (
        select(
            OutboxEmail.kind, OutboxEmail.state, OutboxEmail.created_at, OutboxEmail.delivered_at
        )
        .where(
            OutboxEmail.id >= first_id(session, now - DAY - OUT_OF_ORDER),
            OutboxEmail.created_at > now - DAY,
            _WAS_TO_GO,
        )
        .order_by(OutboxEmail.id.desc())
        .limit(most)
        .subquery()
    )
    email = counted.c
    in_hour, in_day = email.created_at > now - HOUR, true()
    is_accepted = email.state.in_(_ACCEPTED)
    had_its_time = email.created_at <= now - PATIENCE
    counts = [
        func.count().filter(window, condition)
        for window in (in_hour, in_day)
        for condition in (
            true(),
            is_accepted,
            email.delivered_at.is_not(None),
            had_its_time & ~is_accepted,
        )
    ]
    rows = session.execute(
        select(email.kind, func.min(email.created_at), *counts)
        .group_by(email.kind)
        .order_by(email.kind)
    ).all()
    kinds = [Volume(kind, Counts(*found[:4]), Counts(*found[4:])) for kind, _, *found in rows]
    is_capped = sum(volume.day.asked for volume in kinds) == most
    return Volumes(kinds, min(row[1] for row in rows) if is_capped else None)
