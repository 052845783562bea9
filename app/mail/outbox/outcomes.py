"""Outcomes: what an attempt to hand an email to the relay changes.

``begin_sending`` marks the email before its body goes out. Afterwards ``settlement_of`` says what
the verdict makes of the email, and ``settle`` writes it.
"""

import random
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
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute

from app.database.postgresql import ASYNCHRONOUS_COMMIT
from app.mail.kinds import InDoubt, Kind
from app.mail.outbox.changes import BODIES_ERASED, delete_attachments, update_emails
from app.mail.outbox.event_tables import UNDELIVERED
from app.mail.outbox.retry_schedule import retry_delay
from app.mail.outbox.tables import EmailAttachment, EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome, Verdict


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an attempt changes: the new values of the email's ``columns``, and whether to ``erase``
    its bodies. Bodies with a secret go too when an event has told what became of the email, because
    then it is not sent again. The verdict is recorded, with the milliseconds that the attempt took.
    """

    email: OutboxEmail
    verdict: Verdict
    at: datetime
    columns: dict[str, Any]
    erase: bool = False
    duration_ms: int = 0
    has_secret: bool = False


def settlement_of(
    email: OutboxEmail,
    kind: Kind | None,
    verdict: Verdict,
    now: datetime,
    *,
    duration_ms: int = 0,
    blameless: bool = False,
) -> Settlement:
    """What the verdict makes of the email. ``kind`` is None when the application has lost it.

    ``blameless`` means that a lost connection says nothing about this email, so losing it uses up
    no retry.
    """
    erase = kind is None or kind.carries_secret
    columns: dict[str, Any]
    match verdict.outcome:
        case Outcome.ACCEPTED:
            columns = {"state": State.SENT, "reason": None, "sent_at": now}
        case Outcome.REFUSED:
            attempts = email.attempts
            columns = {"state": State.FAILED, "reason": verdict.reply, "attempts": attempts}
            # The refusal may turn out to be about us. Then the email goes out after all.
            erase = erase and not verdict.is_unfamiliar
        case Outcome.IN_DOUBT if kind is None or kind.in_doubt is InDoubt.HOLD:
            columns, erase = {"state": State.UNKNOWN, "reason": verdict.reply}, False
        case Outcome.ABOUT_US | Outcome.QUOTA:
            columns, erase = postponed(email, verdict, now), False
        case Outcome.LOST if blameless:
            columns, erase = postponed(email, verdict, now), False
        case _:
            # The jitter spreads the retries and keeps no secret.
            jitter = 0.0 if verdict.outcome is Outcome.IN_DOUBT else random.random()  # noqa: S311
            columns = deferred(email, verdict, now, jitter)
            erase = erase and columns["state"] == State.FAILED
    has_secret = kind is None or kind.carries_secret
    return Settlement(email, verdict, now, columns, erase, duration_ms, has_secret)


def deferred(email: OutboxEmail, verdict: Verdict, now: datetime, jitter: float) -> dict[str, Any]:
    """The columns of an email that waits in ``queued`` for its next retry, or becomes ``failed``
    after the last one.

    A wait that would pass the email's time to live ends with it, so the email expires without
    delay.
    """
    attempts = email.attempts + 1
    wait = retry_delay(email.attempts, jitter)
    if wait is None:
        reason = f"refused for 48 hours, last: {verdict.reply}"
        return {"state": State.FAILED, "reason": reason, "attempts": attempts}
    return {**postponed(email, verdict, now, wait), "attempts": attempts}


def postponed(
    email: OutboxEmail, verdict: Verdict, now: datetime, wait: timedelta = timedelta(0)
) -> dict[str, Any]:
    """The columns of an email that returns to ``queued`` and keeps all its retries, because it is
    not the cause. ``wait`` lets other emails go first for that long.
    """
    return {
        "state": State.QUEUED,
        "reason": verdict.reply,
        "attempts": email.attempts,
        "next_attempt_at": min(now + wait, email.expires_at),
    }


def state_after(settlement: Settlement) -> State:
    """The state that ``settle`` gives the email, by what was heard before its row was read."""
    state: State = settlement.columns["state"]
    if settlement.email.heard is None:
        return state
    return State.BOUNCED if settlement.email.heard in UNDELIVERED else State.SENT


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
        _settling(*_shape(settlement)),
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
        last_outcome(OutboxEmail.id).scalar_subquery() == Outcome.IN_DOUBT,
        **settlement.columns,
        **(BODIES_ERASED if settlement.erase else {}),
    )
    if moved:
        _record(connection, settlement)
    return bool(moved)


def last_outcome(email_id: int | InstrumentedAttribute[int]) -> Select[str]:
    """Selects the outcome of the last recorded attempt at an email."""
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
        _settling_and_beginning(*_shape(settlement)),
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


# SQLAlchemy takes longer to build an UPDATE than the database takes to run it, so these statements
# are built once. The connection runs them, because the session would also search for objects that
# they change.
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


# As text, because SQLAlchemy would look at each part of an expression for every email.
_UNDELIVERED = ", ".join(f"'{event}'" for event in UNDELIVERED)
_STATE = text(
    f"CASE WHEN heard IN ({_UNDELIVERED}) THEN 'bounced'"
    " WHEN heard IS NOT NULL THEN 'sent' ELSE :new_state END"
).bindparams(bindparam("new_state", type_=OutboxEmail.state.type))
_REASON = text("CASE WHEN heard IS NULL THEN :new_reason ELSE reason END").bindparams(
    bindparam("new_reason", type_=OutboxEmail.reason.type)
)


@cache
def _settling(columns: frozenset[str], erase: bool, has_secret: bool) -> Update:
    values: dict[str, Any] = {column: bindparam(f"new_{column}") for column in columns}
    # Whoever tells what became of an email knows that the relay took it. Such an event can come
    # before the verdict, and while the email is in doubt it is the verdict.
    values["state"] = _STATE
    values["reason"] = _REASON
    if erase:
        values |= BODIES_ERASED
    elif has_secret:
        values |= {name: text(f"CASE WHEN heard IS NULL THEN {name} END") for name in BODIES_ERASED}
    return (
        update(OutboxEmail)
        .where(
            OutboxEmail.id == bindparam("email_id"),
            or_(OutboxEmail.state == State.SENDING, OutboxEmail.state == State.QUEUED),
            OutboxEmail.leased_by == bindparam("worker"),
        )
        .values(values)
        .values(leased_by=None, leased_until=None)
    )


@cache
def _settling_and_beginning(
    columns: frozenset[str], erase: bool, has_secret: bool
) -> Select[bool, bool, Any]:
    settled = _settling(columns, erase, has_secret).returning(OutboxEmail.id).cte("settled")
    begun = _BEGINNING.returning(OutboxEmail.id).cte("begun")
    recorded = EmailAttempt.__table__.columns
    names = [column.name for column in recorded if column.name not in ("id", "email_id")]
    values = [bindparam(f"attempt_{name}", type_=recorded[name].type) for name in names]
    recording = insert(EmailAttempt).from_select(
        ["email_id", *names], select(settled.c.id, *values)
    )
    both = select(
        select(settled.c.id).exists().label("settled"),
        select(begun.c.id).exists().label("begun"),
        ASYNCHRONOUS_COMMIT,
    ).add_cte(recording.cte("recording"))
    if erase:
        of_it = EmailAttachment.email_id.in_(select(settled.c.id))
        both = both.add_cte(delete(EmailAttachment).where(of_it).cte("erasing"))
    return both


def _shape(settlement: Settlement) -> tuple[frozenset[str], bool, bool]:
    """What decides which statement writes the settlement."""
    return frozenset(settlement.columns), settlement.erase, settlement.has_secret


def _settling_values(settlement: Settlement, worker: str) -> dict[str, Any]:
    new = {f"new_{column}": value for column, value in settlement.columns.items()}
    return {"email_id": settlement.email.id, "worker": worker, **new}


def _recording_values(settlement: Settlement) -> dict[str, Any]:
    verdict = settlement.verdict
    return {
        "email_id": settlement.email.id,
        "at": settlement.at,
        "outcome": verdict.outcome,
        "phase": verdict.phase,
        "code": verdict.code,
        "enhanced_code": verdict.enhanced_code,
        "reply": verdict.reply,
        "duration_ms": settlement.duration_ms,
    }
