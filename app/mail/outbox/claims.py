"""Claims."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, Connection, bindparam, func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail.outbox.changes import update_emails
from app.mail.outbox.tables import IS_QUEUED, OutboxEmail

LEASE = timedelta(seconds=45)
"""How long a claim holds without a heartbeat: a worker whose death nobody can see is replaced
within a minute.
"""


def has_due(session: Session, now: datetime) -> bool:
    """Whether there is anything to claim; cheaper than a claim that finds nothing."""
    return session.scalar(_FIRST_DUE, {"now": now}) is not None


def claim(
    session: Session,
    worker: str,
    now: datetime,
    limit: int,
    only: int | None = None,
    *,
    in_hand: Collection[int] = (),
) -> list[OutboxEmail]:
    """Lease up to ``limit`` due emails to ``worker``, most urgent first, or ``only`` that one. They
    stay ``queued``.

    What is ``in_hand`` stays with the connection of this worker that has it, even when it is back
    in the queue: after a commit whose answer was lost, that connection writes about it once more.
    """
    if session.get_bind().dialect.name == "postgresql":
        # It knows no figures about a backlog that is new, and would rather sort all of it, bodies
        # included, than walk the index. Until version 17 a sort that it cannot do without, such as
        # that of a few attachments, then counts as so dear that it is compiled to machine code.
        session.execute(_WITHOUT_SORTING)
    due = _MOST_URGENT if only is None else _MOST_URGENT.where(OutboxEmail.id == only)
    if in_hand:
        due = due.where(OutboxEmail.id.not_in(in_hand))
    claimed = session.scalars(due, {"now": now, "limit": limit, "worker": worker}).all()
    # Not as a subquery of the UPDATE: PostgreSQL may run that once for each row, and lease them
    # all.
    ids = [email.id for email in claimed]
    update_emails(session, OutboxEmail.id.in_(ids), leased_by=worker, leased_until=now + LEASE)
    return list(claimed)


def is_unleased(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return or_(OutboxEmail.leased_until.is_(None), OutboxEmail.leased_until < now)


_DUE = (
    IS_QUEUED,
    OutboxEmail.next_attempt_at <= bindparam("now"),
    is_unleased(bindparam("now")),
)
_WITHOUT_SORTING = select(
    func.set_config("enable_sort", "off", True), func.set_config("jit", "off", True)
)
_FIRST_DUE = select(OutboxEmail.id).where(*_DUE).limit(1)
_MOST_URGENT = (
    select(OutboxEmail)
    # A lease of its own that ran out is for the worker's keeper: a connection may still hold it.
    .where(
        *_DUE, or_(OutboxEmail.leased_by.is_(None), OutboxEmail.leased_by != bindparam("worker"))
    )
    .order_by(OutboxEmail.priority, OutboxEmail.next_attempt_at, OutboxEmail.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)


def renew(session: Session, worker: str, now: datetime, email_ids: Collection[int]) -> None:
    """The heartbeat: extend the leases of what ``worker`` still works on."""
    held = (OutboxEmail.id.in_(email_ids), OutboxEmail.leased_by == worker)
    # What is being settled or begun just now is left to the next beat: to wait for one of these
    # rows with another one locked could be a deadlock.
    free = session.scalars(select(OutboxEmail.id).where(*held).with_for_update(skip_locked=True))
    update_emails(session, OutboxEmail.id.in_(free.all()), leased_until=now + LEASE)


def hand_back(
    connection: Connection, worker: str, email_ids: Collection[int], reason: str | None = None
) -> None:
    """Give leased emails that were not begun back to the queue, with the reason why they wait, if
    there is one.
    """
    update_emails(
        connection,
        OutboxEmail.id.in_(email_ids),
        OutboxEmail.state == "queued",
        OutboxEmail.leased_by == worker,
        leased_by=None,
        leased_until=None,
        **({} if reason is None else {"reason": reason}),
    )


def lease_holders(session: Session) -> Sequence[tuple[str, datetime]]:
    """Every worker that holds a lease, with the time when the first of its leases ends."""
    rows = session.execute(
        select(OutboxEmail.leased_by, func.min(OutboxEmail.leased_until))
        .where(OutboxEmail.leased_by.is_not(None))
        .group_by(OutboxEmail.leased_by)
    )
    return [(worker, until) for worker, until in rows if worker is not None and until is not None]


def release_leases(
    session: Session,
    worker: str,
    now: datetime,
    *,
    dead: bool,
    in_hand: Collection[int] = (),
) -> list[OutboxEmail]:
    """Free what ``worker`` had leased and not begun, and return what it was sending: that is in
    doubt now.

    Of a ``dead`` worker that is everything, of another one what its heartbeat forgot. What is
    ``in_hand`` stays: its verdict is still to come, however long the heartbeat was kept away.
    """
    theirs = [OutboxEmail.leased_by == worker, OutboxEmail.id.not_in(in_hand)]
    if not dead:
        theirs.append(OutboxEmail.leased_until < now)
    update_emails(
        session, *theirs, OutboxEmail.state == "queued", leased_by=None, leased_until=None
    )
    return list(
        session.scalars(
            select(OutboxEmail)
            .where(*theirs, OutboxEmail.state == "sending")
            .with_for_update(skip_locked=True)
        )
    )
