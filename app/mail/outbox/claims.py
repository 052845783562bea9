"""Claims: a worker leases due emails, renews its leases, and gives emails back.

A claimed email stays ``queued``. The lease names the worker and ends at a time, so the emails of a
dead worker become due again.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy import BindParameter, Connection, bindparam, func, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail.outbox.changes import update_emails
from app.mail.outbox.retry_schedule import LONGEST_WAIT
from app.mail.outbox.tables import IS_QUEUED, OutboxEmail, State

LEASE = timedelta(seconds=45)
"""How long a claim lasts without a heartbeat. Even a worker whose death leaves no other sign is
replaced within a minute.
"""


def has_due(session: Session, now: datetime) -> bool:
    """Whether an email can be claimed. Costs less than a claim that finds nothing."""
    return session.scalar(_FIRST_DUE, {"now": now}) is not None


def claim(
    session: Session,
    worker: str,
    now: datetime,
    limit: int,
    only: int | None = None,
    *,
    in_progress: Collection[int] = (),
) -> list[OutboxEmail]:
    """Lease up to ``limit`` due emails to ``worker``, the most urgent first. ``only`` is the id of
    the one email to consider.

    ``in_progress`` are the ids of emails that a connection of this worker still handles. Such an
    email can be queued and free of a lease, because the connection wrote that but got no reply to
    its commit. The connection then writes it once more, so no other connection may claim the email.
    """
    if session.get_bind().dialect.name == "postgresql":
        # PostgreSQL has no statistics about a new backlog, so it would sort the whole backlog,
        # bodies included, instead of reading the index in order. With sorting off, PostgreSQL
        # before version 17 takes the query for expensive and compiles it, which costs more than
        # it saves.
        session.execute(_WITHOUT_SORTING)
    due = _MOST_URGENT if only is None else _MOST_URGENT.where(OutboxEmail.id == only)
    if in_progress:
        due = due.where(OutboxEmail.id.not_in(in_progress))
    claimed = session.scalars(due, {"now": now, "limit": limit, "worker": worker}).all()
    # The SELECT is no subquery of the UPDATE, because PostgreSQL may run a subquery once for each
    # row and then lease every due email.
    ids = [email.id for email in claimed]
    session.execute(_LEASING, {"ids": ids, "worker": worker, "until": now + LEASE})
    return list(claimed)


def is_unleased(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    """The condition that no worker holds a lease at ``now``."""
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
    # One of this worker's connections may still handle an email after its lease has ended. So the
    # worker does not claim the email again; its maintenance thread releases the lease.
    .where(
        *_DUE, or_(OutboxEmail.leased_by.is_(None), OutboxEmail.leased_by != bindparam("worker"))
    )
    .order_by(OutboxEmail.priority, OutboxEmail.next_attempt_at, OutboxEmail.id)
    .limit(bindparam("limit"))
    .with_for_update(skip_locked=True)
)
_IS_ONE_OF = OutboxEmail.id.in_(bindparam("ids", expanding=True))
_LEASING = (
    update(OutboxEmail)
    .where(_IS_ONE_OF)
    .values(leased_by=bindparam("worker"), leased_until=bindparam("until"))
    .execution_options(synchronize_session=False)
)
_HANDING_BACK = (
    update(OutboxEmail)
    .where(
        _IS_ONE_OF, OutboxEmail.state == State.QUEUED, OutboxEmail.leased_by == bindparam("worker")
    )
    .values(leased_by=None, leased_until=None)
)


def renew(session: Session, worker: str, now: datetime, email_ids: Collection[int]) -> None:
    """Extend the leases of ``worker`` on these emails: its heartbeat."""
    held = (OutboxEmail.id.in_(email_ids), OutboxEmail.leased_by == worker)
    # A connection may have locked one of these rows to settle or begin it. Waiting for that row
    # while holding another could be a deadlock, so the next heartbeat renews it.
    free = session.scalars(select(OutboxEmail.id).where(*held).with_for_update(skip_locked=True))
    update_emails(session, OutboxEmail.id.in_(free.all()), leased_until=now + LEASE)


def hand_back(
    connection: Connection, worker: str, email_ids: Collection[int], reason: str | None = None
) -> None:
    """Release the leases of ``worker`` on the emails that are still ``queued``. ``reason`` says why
    they wait.
    """
    handing_back = _HANDING_BACK if reason is None else _HANDING_BACK.values(reason=reason)
    connection.execute(handing_back, {"ids": list(email_ids), "worker": worker})


def correct_times(session: Session, now: datetime, limit: int) -> int:
    """Correct the times that a clock which was ahead has written: no lease and no retry of up to
    ``limit`` emails ends later than it can from now. Returns how many emails waited too long.
    """
    update_emails(
        session,
        OutboxEmail.leased_by.is_not(None),
        OutboxEmail.leased_until > now + 2 * LEASE,
        leased_until=now,
    )
    late = (IS_QUEUED, OutboxEmail.next_attempt_at > now + LONGEST_WAIT)
    ids = session.scalars(select(OutboxEmail.id).where(*late).limit(limit)).all()
    return update_emails(session, OutboxEmail.id.in_(ids), *late, next_attempt_at=now)


def lease_holders(session: Session) -> Sequence[tuple[str, datetime]]:
    """Every worker that holds a lease, with the time at which the first of its leases ends."""
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
    in_progress: Collection[int] = (),
) -> list[OutboxEmail]:
    """Release the leases of ``worker`` on queued emails. Returns the emails that it was sending:
    they are in doubt.

    A ``dead`` worker loses all its leases, a living one those that have ended. Emails
    ``in_progress`` keep theirs: their verdict is still to come, however late the heartbeat is.
    """
    theirs = [OutboxEmail.leased_by == worker, OutboxEmail.id.not_in(in_progress)]
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
