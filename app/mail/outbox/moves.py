"""The outbox: the states of an email, and every move between them.

::

    queued ──body goes out──► sending ──2xx──► sent ──(report)──► bounced
      ▲                          ├─ 4xx, or lost before the dot ──► queued (next_attempt_at)
      │                          ├─ 5xx ──► failed
      │                          └─ lost, or process killed, after it ──► unknown
      ├── in doubt: resend ◄─────────────────────────────────────────────── unknown (hold)
      └── a person: resend, release ◄── whatever the relay did not accept

    never sent, each with a reason:
    captured · suppressed · throttled · expired · superseded · cancelled

An email in doubt whose 2xx comes after all is ``sent``.

Every move is one conditional UPDATE that names the state it leaves, so two workers, or a worker
and a person, can never both make it. A move returns whether it happened, a move of many how many it
moved. Where a move erases bodies, the attachments go with them.
"""

import re
import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from sqlalchemy import (
    BindParameter,
    Connection,
    Select,
    Update,
    and_,
    bindparam,
    case,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from app.database.postgresql import ASYNCHRONOUS_COMMIT
from app.mail.outbox.tables import (
    IS_QUEUED,
    NOT_ACCEPTED,
    UNDER_WAY,
    EmailAttachment,
    EmailAttempt,
    OutboxEmail,
    State,
)
from app.mail.smtp.replies import Outcome


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt left to record: the phase reached, the reply, and how long it took in
    milliseconds.
    """

    outcome: str
    phase: str
    reply: str
    code: int | None = None
    enhanced_code: str | None = None
    duration_ms: int = 0


RETRY_DELAYS: tuple[timedelta, ...] = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=15),
    timedelta(hours=1),
    timedelta(hours=3),
    timedelta(hours=6),
    timedelta(hours=12),
    timedelta(hours=12),
    timedelta(hours=12),
)
"""The wait after each refusal of an email. Together 46 hours: the next step would pass 48, so the
tenth refusal is the last.
"""

LEASE = timedelta(seconds=45)
"""How long a claim holds without a heartbeat: a worker whose death nobody can see is replaced
within a minute.
"""


# --- From queued to the relay -------------------------------------------------


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
    _update(session, OutboxEmail.id.in_(ids), leased_by=worker, leased_until=now + LEASE)
    return list(claimed)


def _unleased(now: datetime | BindParameter[datetime]) -> ColumnElement[bool]:
    return or_(OutboxEmail.leased_until.is_(None), OutboxEmail.leased_until < now)


_DUE = (
    IS_QUEUED,
    OutboxEmail.next_attempt_at <= bindparam("now"),
    _unleased(bindparam("now")),
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
    _update(session, OutboxEmail.id.in_(free.all()), leased_until=now + LEASE)


def hand_back(
    connection: Connection, worker: str, email_ids: Collection[int], reason: str | None = None
) -> None:
    """Give leased emails that were not begun back to the queue, with the reason why they wait, if
    there is one.
    """
    _update(
        connection,
        OutboxEmail.id.in_(email_ids),
        OutboxEmail.state == "queued",
        OutboxEmail.leased_by == worker,
        leased_by=None,
        leased_until=None,
        **({} if reason is None else {"reason": reason}),
    )


def begin_sending(connection: Connection, email: OutboxEmail, worker: str, now: datetime) -> bool:
    """Commit this before the body goes out. False: the lease is not ours any more, or the email
    must not go out.
    """
    begun = connection.execute(_BEGINNING, {"next_id": email.id, "worker": worker, "now": now})
    return begun.rowcount == 1


def not_begun(connection: Connection, email: OutboxEmail, worker: str) -> None:
    """Back from ``sending`` to ``queued``, still leased: the commit of ``begin_sending`` was not
    confirmed, and no body went out.
    """
    _update(
        connection,
        OutboxEmail.id == email.id,
        OutboxEmail.state == State.SENDING,
        OutboxEmail.leased_by == worker,
        state=State.QUEUED,
    )


# --- The verdict --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Settlement:
    """The end of a worker's hold on an email: what becomes of its row, and the attempt to record.

    ``settle`` makes it true. An envelope can be refused before ``sending``, so both states can be
    left.
    """

    email: OutboxEmail
    attempt: Attempt
    at: datetime
    columns: dict[str, Any]
    erase: bool = False


def accepted(email: OutboxEmail, now: datetime, attempt: Attempt, *, erase: bool) -> Settlement:
    """2xx after the final dot: ``sent``."""
    columns = {"state": State.SENT, "reason": None, "sent_at": now}
    return Settlement(email, attempt, now, columns, erase)


def refused(email: OutboxEmail, now: datetime, attempt: Attempt, *, erase: bool) -> Settlement:
    """5xx to this email: ``failed``, with the relay's words."""
    return _failed(email, now, attempt, attempt.reply, email.attempts, erase=erase)


def deferred(
    email: OutboxEmail, now: datetime, attempt: Attempt, *, jitter: float, erase: bool
) -> Settlement:
    """4xx to this email, or lost before the final dot: ``queued`` for a later time, or ``failed``
    after the last one.

    ``jitter`` between 0 and 1 spreads the retries over a tenth of the wait. No wait reaches beyond
    the time to live: what ends then is expired at once.
    """
    attempts = email.attempts + 1
    if email.attempts >= len(RETRY_DELAYS):
        reason = f"refused for 48 hours, last: {attempt.reply}"
        return _failed(email, now, attempt, reason, attempts, erase=erase)
    delay = RETRY_DELAYS[email.attempts] * (1 + jitter / 10)
    return _queued(email, now, attempt, delay, attempts)


def postponed(
    email: OutboxEmail, now: datetime, attempt: Attempt, *, wait: timedelta = timedelta(0)
) -> Settlement:
    """Not this email's fault: back to ``queued``, no attempt used up.

    With ``wait`` others go first for so long.
    """
    return _queued(email, now, attempt, wait, email.attempts)


def in_doubt(
    email: OutboxEmail, now: datetime, attempt: Attempt, *, resend: bool, erase: bool
) -> Settlement:
    """Lost after the final dot went out: ``unknown``, or with ``resend`` back to ``queued`` under
    the same Message-ID.
    """
    if resend:
        return deferred(email, now, attempt, jitter=0.0, erase=erase)
    columns = {"state": State.UNKNOWN, "reason": attempt.reply}
    return Settlement(email, attempt, now, columns)


def _failed(
    email: OutboxEmail,
    now: datetime,
    attempt: Attempt,
    reason: str,
    attempts: int,
    *,
    erase: bool,
) -> Settlement:
    columns = {"state": State.FAILED, "reason": reason, "attempts": attempts}
    return Settlement(email, attempt, now, columns, erase)


def _queued(
    email: OutboxEmail, now: datetime, attempt: Attempt, wait: timedelta, attempts: int
) -> Settlement:
    columns = {
        "state": State.QUEUED,
        "reason": attempt.reply,
        "attempts": attempts,
        "next_attempt_at": min(now + wait, email.expires_at),
    }
    return Settlement(email, attempt, now, columns)


def last_outcome(connection: Connection, email: OutboxEmail) -> str | None:
    """What the last recorded attempt at an email came to, if there was one."""
    return connection.scalar(
        select(EmailAttempt.outcome)
        .where(EmailAttempt.email_id == email.id)
        .order_by(EmailAttempt.id.desc())
        .limit(1)
    )


def settle(connection: Connection, settlement: Settlement, worker: str) -> bool:
    """Make a verdict true. False: the hold on the email was not ``worker``'s any more, and nothing
    is recorded.
    """
    settled = connection.execute(
        _settling(frozenset(settlement.columns), settlement.erase),
        _settling_values(settlement, worker),
    )
    if settled.rowcount != 1:
        return False
    _record(connection, settlement)
    return True


def accepted_late(connection: Connection, settlement: Settlement) -> bool:
    """The 2xx came when the email had been given up as in doubt, because its worker slept or was
    cut off: it is ``sent`` after all, unless somebody has taken it or tried it again since.
    """
    last_outcome = (
        select(EmailAttempt.outcome)
        .where(EmailAttempt.email_id == OutboxEmail.id)
        .order_by(EmailAttempt.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    moved = _update(
        connection,
        OutboxEmail.id == settlement.email.id,
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        OutboxEmail.leased_by.is_(None),
        last_outcome == Outcome.IN_DOUBT,
        **settlement.columns,
        **(_NO_BODIES if settlement.erase else {}),
    )
    if moved:
        _record(connection, settlement)
    return bool(moved)


def settle_and_begin(
    connection: Connection, settlement: Settlement, email: OutboxEmail, worker: str, now: datetime
) -> tuple[bool, bool]:
    """What ``settle`` says and what ``begin_sending`` says of the next ``email``. PostgreSQL does
    both in one statement, which commits asynchronously: a round trip costs more than the work.
    """
    if connection.dialect.name != "postgresql":
        return (
            settle(connection, settlement, worker),
            begin_sending(connection, email, worker, now),
        )
    done = connection.execute(
        _settling_and_beginning(frozenset(settlement.columns), settlement.erase),
        {
            **_settling_values(settlement, worker),
            **{f"attempt_{name}": value for name, value in _recording_values(settlement).items()},
            "next_id": email.id,
            "now": now,
        },
    ).one()
    return done.settled, done.begun


# --- Never sent ---------------------------------------------------------------


def never_sent(
    session: Session, email: OutboxEmail, state: State, reason: str, *, erase: bool
) -> bool:
    """A guard's or a person's decision that this email does not go out: ``queued`` (or ``unknown``)
    ends in ``state``.
    """
    return _move(
        session,
        email,
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        state=state,
        reason=reason,
        next_attempt_at=None,
        leased_by=None,
        leased_until=None,
        erase=erase,
    )


def supersede(session: Session, newer: OutboxEmail, *, erase: bool) -> int:
    """Every older queued email of the same kind about the same thing: ``superseded`` by ``newer``.
    What is being sent just now is found by ``superseded``.
    """
    return _end_all(
        session,
        OutboxEmail.kind == newer.kind,
        OutboxEmail.about == newer.about,
        OutboxEmail.id < newer.id,
        OutboxEmail.state == "queued",
        state=State.SUPERSEDED,
        reason=newer_reason(newer.id),
        keep=() if erase else (newer.kind,),
    )


def newer_reason(newer: int) -> str:
    """The reason of what the email of that id superseded."""
    return f"email {newer} about the same thing is newer"


def superseded(session: Session, email_ids: Collection[int]) -> dict[int, int]:
    """Those of ``email_ids`` that have a newer email of their kind about the same thing which went
    out or will, with the newest one's id: an older one that came back to the queue after it, or two
    that were written at the same time.
    """
    newer = aliased(OutboxEmail)
    rows = session.execute(
        select(OutboxEmail.id, func.max(newer.id))
        .join(
            newer,
            and_(
                newer.about == OutboxEmail.about,
                newer.kind == OutboxEmail.kind,
                newer.id > OutboxEmail.id,
                newer.state.in_([*UNDER_WAY, State.SENT, State.BOUNCED, State.CAPTURED]),
            ),
        )
        .where(OutboxEmail.id.in_(email_ids))
        .group_by(OutboxEmail.id)
    )
    return dict(rows.all())


def expire(session: Session, now: datetime, *, keep: Collection[str], limit: int) -> int:
    """Up to ``limit`` queued emails whose time to live ended: ``expired``. A relay that rests keeps
    them from the guard that would find them otherwise. Bodies of the kinds ``keep`` stay.
    """
    return _end_all(
        session,
        IS_QUEUED,
        OutboxEmail.expires_at <= now,
        _unleased(now),
        state=State.EXPIRED,
        reason=TOO_LATE,
        keep=keep,
        limit=limit,
    )


def cancel_all(session: Session, reason: str, *, keep: Collection[str], limit: int) -> int:
    """Up to ``limit`` emails that may still go out: ``cancelled``. For a database whose workers are
    gone, so what one was sending counts too. Bodies of the kinds ``keep`` stay.
    """
    return _end_all(
        session,
        OutboxEmail.state.in_(UNDER_WAY),
        state=State.CANCELLED,
        reason=reason,
        keep=keep,
        limit=limit,
    )


TOO_LATE = "its time to live ended before it could go out"
"""The reason of what is expired."""


# --- A person's decisions, and time -------------------------------------------


def requeue(session: Session, email: OutboxEmail, now: datetime, expires_at: datetime) -> bool:
    """An email that was not accepted goes back to ``queued``: the same Message-ID, every retry
    before it.
    """
    return _move(
        session,
        email,
        OutboxEmail.state == email.state,
        OutboxEmail.state.in_(NOT_ACCEPTED),
        _HAS_BODY,
        state=State.QUEUED,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        expires_at=expires_at,
    )


def copy(session: Session, email: OutboxEmail, now: datetime, expires_at: datetime) -> OutboxEmail:
    """A new queued email like one that was sent: its key is ``<key>#2`` (``#3`` ...), and it has a
    Message-ID of its own.
    """
    again = OutboxEmail(
        **{name: getattr(email, name) for name in _COPIED},
        key=_next_key(session, email.key),
        message_id=new_message_id(email.message_id.rpartition("@")[2].rstrip(">")),
        state=State.QUEUED,
        attempts=0,
        next_attempt_at=now,
        expires_at=expires_at,
        created_at=now,
        attachments=[
            EmailAttachment(
                position=attachment.position,
                filename=attachment.filename,
                content_type=attachment.content_type,
                content=attachment.content,
            )
            for attachment in email.attachments
        ],
    )
    session.add(again)
    session.flush()
    return again


def erase_old(session: Session, before: datetime, limit: int) -> int:
    """Erase the bodies of up to ``limit`` emails that were written before then and are not under
    way any more.
    """
    at_rest = OutboxEmail.state.not_in(UNDER_WAY)
    old = (
        select(OutboxEmail.id)
        .where(OutboxEmail.created_at < before, at_rest, _HAS_BODY)
        .limit(limit)
    )
    erased = session.scalars(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(old), at_rest)
        .values(**_NO_BODIES)
        .returning(OutboxEmail.id)
        .execution_options(synchronize_session=False)
    ).all()
    _delete_attachments(session, erased)
    return len(erased)


def new_message_id(domain: str) -> str:
    """A Message-ID that nothing else has, in angle brackets (RFC 5322 3.6.4)."""
    return f"<{secrets.token_hex(16)}@{domain}>"


_COPIED = (
    "kind",
    "about",
    "priority",
    "locale",
    "sender",
    "envelope_sender",
    "recipient_name",
    "recipient",
    "reply_to",
    "subject",
    "html_body",
    "text_body",
)


def _next_key(session: Session, key: str) -> str:
    first = re.sub(r"#[0-9]+$", "", key)
    taken = set(
        session.scalars(
            select(OutboxEmail.key).where(OutboxEmail.key.startswith(f"{first}#", autoescape=True))
        )
    )
    return next(name for number in count(2) if (name := f"{first}#{number}") not in taken)


# --- Workers that died --------------------------------------------------------


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
    _update(session, *theirs, OutboxEmail.state == "queued", leased_by=None, leased_until=None)
    return list(
        session.scalars(
            select(OutboxEmail)
            .where(*theirs, OutboxEmail.state == "sending")
            .with_for_update(skip_locked=True)
        )
    )


# --- How every move is written ------------------------------------------------


def _record(connection: Connection, settlement: Settlement) -> None:
    connection.execute(_RECORDING, _recording_values(settlement))
    if settlement.erase and settlement.email.attachments:
        _delete_attachments(connection, [settlement.email.id])


# What every single email goes through is made once, and run by the connection itself: SQLAlchemy
# takes longer to make an UPDATE, and to look for objects that it changes, than the database to run
# it.
_BEGINNING = (
    update(OutboxEmail)
    .where(
        OutboxEmail.id == bindparam("next_id"),
        OutboxEmail.state == State.QUEUED,
        OutboxEmail.leased_by == bindparam("worker"),
        OutboxEmail.leased_until > bindparam("now"),
        OutboxEmail.expires_at > bindparam("now"),
    )
    .values(state=State.SENDING)
)
_RECORDING = insert(EmailAttempt).inline()


@cache
def _settling(columns: frozenset[str], erase: bool) -> Update:
    return (
        update(OutboxEmail)
        .where(
            OutboxEmail.id == bindparam("email_id"),
            or_(OutboxEmail.state == State.SENDING, OutboxEmail.state == State.QUEUED),
            OutboxEmail.leased_by == bindparam("worker"),
        )
        .values({column: bindparam(f"new_{column}") for column in columns})
        .values(leased_by=None, leased_until=None, **(_NO_BODIES if erase else {}))
    )


@cache
def _settling_and_beginning(columns: frozenset[str], erase: bool) -> Select[bool, bool, Any]:
    settled = _settling(columns, erase).returning(OutboxEmail.id).cte("settled")
    begun = _BEGINNING.returning(OutboxEmail.id).cte("begun")
    recorded = EmailAttempt.__table__.columns
    names = [column.name for column in recorded if column.name not in ("id", "email_id")]
    values = [bindparam(f"attempt_{name}", type_=recorded[name].type) for name in names]
    recording = insert(EmailAttempt).from_select(
        ["email_id", *names], select(settled.c.id, *values)
    )
    both = select(
        exists(select(settled.c.id)).label("settled"),
        exists(select(begun.c.id)).label("begun"),
        ASYNCHRONOUS_COMMIT,
    ).add_cte(recording.cte("recording"))
    if erase:
        of_it = EmailAttachment.email_id.in_(select(settled.c.id))
        both = both.add_cte(delete(EmailAttachment).where(of_it).cte("erasing"))
    return both


def _settling_values(settlement: Settlement, worker: str) -> dict[str, Any]:
    new = {f"new_{column}": value for column, value in settlement.columns.items()}
    return {"email_id": settlement.email.id, "worker": worker, **new}


def _recording_values(settlement: Settlement) -> dict[str, Any]:
    attempt = settlement.attempt
    return {
        "email_id": settlement.email.id,
        "at": settlement.at,
        "outcome": attempt.outcome,
        "phase": attempt.phase,
        "code": attempt.code,
        "enhanced_code": attempt.enhanced_code,
        "reply": attempt.reply,
        "duration_ms": attempt.duration_ms,
    }


def _move(
    session: Session,
    email: OutboxEmail,
    leaves: ColumnElement[bool] | State,
    *conditions: ColumnElement[bool],
    erase: bool = False,
    **values: Any,
) -> bool:
    if isinstance(leaves, State):
        leaves = OutboxEmail.state == leaves
    if erase:
        values |= _NO_BODIES
    moved = _update(session, OutboxEmail.id == email.id, leaves, *conditions, **values) == 1
    if moved and erase and email.attachments:
        _delete_attachments(session, [email.id])
    return moved


def _end_all(
    session: Session,
    *conditions: ColumnElement[bool],
    state: State,
    reason: str,
    keep: Collection[str],
    limit: int | None = None,
) -> int:
    """``never_sent`` for many; the bodies of the kinds ``keep`` stay."""
    kept = OutboxEmail.kind.in_(keep)
    ended = session.execute(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(select(OutboxEmail.id).where(*conditions).limit(limit)))
        .where(*conditions)
        .values(
            state=state,
            reason=reason,
            next_attempt_at=None,
            leased_by=None,
            leased_until=None,
            html_body=case((kept, OutboxEmail.html_body), else_=None),
            text_body=case((kept, OutboxEmail.text_body), else_=None),
        )
        .returning(OutboxEmail.id, OutboxEmail.kind)
        .execution_options(synchronize_session=False)
    ).all()
    _delete_attachments(session, [row.id for row in ended if row.kind not in keep])
    return len(ended)


def _update(session: Session | Connection, *conditions: ColumnElement[bool], **values: Any) -> int:
    result = session.execute(
        update(OutboxEmail)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _delete_attachments(session: Session | Connection, email_ids: Collection[int]) -> None:
    if email_ids:
        session.execute(
            delete(EmailAttachment)
            .where(EmailAttachment.email_id.in_(email_ids))
            .execution_options(synchronize_session=False)
        )


_NO_BODIES: dict[str, None] = {"html_body": None, "text_body": None}
_HAS_BODY = or_(OutboxEmail.html_body.is_not(None), OutboxEmail.text_body.is_not(None))
