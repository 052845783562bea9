"""Outcomes."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    Update,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)

from app.database import HASTY
from app.mail.outbox.changes import NO_BODIES, delete_attachments, update_emails
from app.mail.outbox.tables import EmailAttachment, EmailAttempt, OutboxEmail, State
from app.mail.smtp.mailer import Outcome


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
    update_emails(
        connection,
        OutboxEmail.id == email.id,
        OutboxEmail.state == State.SENDING,
        OutboxEmail.leased_by == worker,
        state=State.QUEUED,
    )


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
    moved = update_emails(
        connection,
        OutboxEmail.id == settlement.email.id,
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        OutboxEmail.leased_by.is_(None),
        last_outcome == Outcome.IN_DOUBT,
        **settlement.columns,
        **(NO_BODIES if settlement.erase else {}),
    )
    if moved:
        _record(connection, settlement)
    return bool(moved)


def settle_and_begin(
    connection: Connection, settlement: Settlement, email: OutboxEmail, worker: str, now: datetime
) -> tuple[bool, bool]:
    """What ``settle`` says and what ``begin_sending`` says of the next ``email``. PostgreSQL does
    both in one hasty statement, since a round trip to it costs more than the work.
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


def _record(connection: Connection, settlement: Settlement) -> None:
    connection.execute(_RECORDING, _recording_values(settlement))
    if settlement.erase and settlement.email.attachments:
        delete_attachments(connection, [settlement.email.id])


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
        .values(leased_by=None, leased_until=None, **(NO_BODIES if erase else {}))
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
        HASTY,
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
