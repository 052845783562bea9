"""Outcomes: what an attempt to hand an email to the relay changes.

``begin_sending`` marks the email before its body goes out. After the relay's reply, one function
for each outcome returns a ``Settlement``, and ``settle`` writes it.
"""

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
from sqlalchemy.orm import InstrumentedAttribute

from app.database.postgresql import ASYNCHRONOUS_COMMIT
from app.mail.outbox.changes import BODIES_ERASED, delete_attachments, update_emails
from app.mail.outbox.tables import EmailAttachment, EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome

RETRY_DELAYS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 720, 720)
)
"""The wait after each deferral of an email. They add up to 46 hours and one more would exceed 48,
so the email fails at the tenth deferral.
"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """The record of one attempt: its outcome, the phase it reached, and the relay's reply."""

    outcome: str
    phase: str
    reply: str
    code: int | None = None
    enhanced_code: str | None = None
    duration_ms: int = 0


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt changes: the new values of the email's ``columns``, whether to ``erase`` its
    bodies, and the attempt to record.
    """

    email: OutboxEmail
    attempt: Attempt
    at: datetime
    columns: dict[str, Any]
    erase: bool = False


def accepted(email: OutboxEmail, now: datetime, attempt: Attempt, *, erase: bool) -> Settlement:
    """2xx after the final dot: the email becomes ``sent``."""
    columns = {"state": State.SENT, "reason": None, "sent_at": now}
    return Settlement(email, attempt, now, columns, erase)


def refused(email: OutboxEmail, now: datetime, attempt: Attempt, *, erase: bool) -> Settlement:
    """5xx to this email: it becomes ``failed``, and the relay's reply is the reason."""
    return _failed(email, now, attempt, attempt.reply, email.attempts, erase=erase)


def deferred(
    email: OutboxEmail, now: datetime, attempt: Attempt, *, jitter: float, erase: bool
) -> Settlement:
    """4xx to this email, or connection lost before the final dot: it waits in ``queued``, or
    becomes ``failed`` after the last retry.

    ``jitter``, from 0 to 1, spreads the retries over a tenth of the wait. A wait that would pass
    the email's time to live ends with it, so the email expires without delay.
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
    """The cause is not this email: it returns to ``queued`` and keeps all its retries.

    ``wait`` lets other emails go first for that long.
    """
    return _queued(email, now, attempt, wait, email.attempts)


def in_doubt(
    email: OutboxEmail, now: datetime, attempt: Attempt, *, resend: bool, erase: bool
) -> Settlement:
    """No reply after the final dot: the email becomes ``unknown``. With ``resend`` it returns to
    ``queued`` and keeps its Message-ID.
    """
    if resend:
        return deferred(email, now, attempt, jitter=0.0, erase=erase)
    columns = {"state": State.UNKNOWN, "reason": attempt.reply}
    return Settlement(email, attempt, now, columns)


def _failed(
    email: OutboxEmail, now: datetime, attempt: Attempt, reason: str, attempts: int, *, erase: bool
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


def begin_sending(connection: Connection, email: OutboxEmail, worker: str, now: datetime) -> bool:
    """Move the email from ``queued`` to ``sending``. Commit this before the body goes out.

    Returns False when the body must not go out: the lease is no longer the worker's, the email has
    expired, or somebody ended it.
    """
    begun = connection.execute(_BEGINNING, {"next_id": email.id, "worker": worker, "now": now})
    return begun.rowcount == 1


def not_begun(connection: Connection, email: OutboxEmail, worker: str) -> None:
    """Return the email from ``sending`` to ``queued``, still leased. For a worker that got no reply
    to the commit of ``begin_sending`` and so sent no body.
    """
    update_emails(
        connection,
        OutboxEmail.id == email.id,
        OutboxEmail.state == State.SENDING,
        OutboxEmail.leased_by == worker,
        state=State.QUEUED,
    )


def settle(connection: Connection, settlement: Settlement, worker: str) -> bool:
    """Write the settlement, record its attempt, and release the lease.

    The email may be ``queued``, because a relay can refuse the envelope before ``sending``. Returns
    False, and records nothing, when ``worker`` no longer holds the lease.
    """
    settled = connection.execute(
        _settling(frozenset(settlement.columns), settlement.erase),
        _settling_values(settlement, worker),
    )
    if settled.rowcount != 1:
        return False
    _record(connection, settlement)
    return True


def settle_accepted_late(connection: Connection, settlement: Settlement) -> bool:
    """Settle an email that the relay accepted after its worker had lost the lease.

    A worker that slept or was cut off loses its lease, and the email counts as in doubt. Returns
    False when a worker has claimed the email, tried it or settled it since.
    """
    moved = update_emails(
        connection,
        OutboxEmail.id == settlement.email.id,
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        OutboxEmail.leased_by.is_(None),
        _last_outcome(OutboxEmail.id).scalar_subquery() == Outcome.IN_DOUBT,
        **settlement.columns,
        **(BODIES_ERASED if settlement.erase else {}),
    )
    if moved:
        _record(connection, settlement)
    return bool(moved)


def last_outcome(connection: Connection, email: OutboxEmail) -> str | None:
    """The outcome of the last recorded attempt at the email, or None before the first."""
    return connection.scalar(_last_outcome(email.id))


def _last_outcome(email_id: int | InstrumentedAttribute[int]) -> Select[str]:
    return (
        select(EmailAttempt.outcome)
        .where(EmailAttempt.email_id == email_id)
        .order_by(EmailAttempt.id.desc())
        .limit(1)
    )


def settle_and_begin(
    connection: Connection, settlement: Settlement, email: OutboxEmail, worker: str, now: datetime
) -> tuple[bool, bool]:
    """Call ``settle``, then ``begin_sending`` for the next ``email``, and return both results.

    PostgreSQL does both in one statement, because a round trip costs more than the work. The
    statement asks for an asynchronous commit.
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


# Every email needs these statements, so they are built once, and the connection runs them without
# the session: SQLAlchemy needs longer to build an UPDATE, and to search the session for objects
# that it changes, than the database needs to run it.
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
        .values(leased_by=None, leased_until=None, **(BODIES_ERASED if erase else {}))
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
