"""The outbox: its tables, the states of an email, and every move between them.

::

queued ──body goes out──► sending ──2xx──► sent ──(report)──► bounced ▲ ├─ 4xx, or lost before the
final dot ──► queued (next_attempt_at) │ ├─ 5xx ──► failed │ └─ lost, or process killed, after that
──► unknown └── in doubt: resend ◄─────────────────────────────────────────────── unknown (hold:
waits for staff) never sent, each with a reason: captured · suppressed · throttled · expired ·
superseded · cancelled

Every move is one conditional UPDATE that names the state it leaves, so two workers, or a worker
and a person, can never both make it. A move returns whether it happened.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from sqlalchemy.sql.elements import ColumnElement

from app.database import Base


class State(StrEnum):
    """Where an email is. See the picture at the top of this module."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"
    BOUNCED = "bounced"
    CAPTURED = "captured"
    SUPPRESSED = "suppressed"
    THROTTLED = "throttled"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    CANCELLED = "cancelled"


class OutboxEmail(Base):
    """One email, from the moment its transaction committed."""

    __tablename__ = "outbox_email"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    """What was done, such as ``password_reset:7``: one key, one email."""
    kind: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(200))
    priority: Mapped[int]
    locale: Mapped[str] = mapped_column(String(16))
    sender: Mapped[str] = mapped_column(Text)
    envelope_sender: Mapped[str] = mapped_column(String(320))
    recipient_name: Mapped[str] = mapped_column(Text)
    recipient: Mapped[str] = mapped_column(Text)
    reply_to: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(Text)
    html_body: Mapped[str | None] = mapped_column(Text)
    text_body: Mapped[str | None] = mapped_column(Text)
    message_id: Mapped[str] = mapped_column(String(320), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often the relay refused or lost this very email; a relay that is down counts for nothing.
    """
    next_attempt_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    leased_by: Mapped[str | None] = mapped_column(String(40))
    leased_until: Mapped[datetime | None]
    request_id: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]

    attachments: Mapped[list["EmailAttachment"]] = relationship(
        order_by="EmailAttachment.position", lazy="selectin", cascade="all, delete-orphan"
    )

    __table_args__ = (
        # The two indexes below hold only what is under way, so that a million sent emails cost a
        # claim nothing.
        Index(
            "ix_outbox_email_due",
            "priority",
            "next_attempt_at",
            "id",
            postgresql_where=(state == "queued"),
            sqlite_where=(state == "queued"),
        ),
        Index(
            "ix_outbox_email_leased",
            "leased_by",
            postgresql_where=leased_by.is_not(None),
            sqlite_where=leased_by.is_not(None),
        ),
        Index("ix_outbox_email_recipient", "recipient", "kind", "created_at"),
        Index("ix_outbox_email_about", "about", "kind"),
        Index("ix_outbox_email_created_at", "created_at"),
    )

    @property
    def has_body(self) -> bool:
        """False once the bodies were erased, or when there never were any."""
        return self.html_body is not None or self.text_body is not None


class EmailAttachment(Base):
    """A file that travels with an email."""

    __tablename__ = "email_attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(ForeignKey("outbox_email.id", ondelete="CASCADE"))
    position: Mapped[int]
    filename: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(String(127))
    content: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (UniqueConstraint("email_id", "position"),)


class EmailAttempt(Base):
    """One attempt to hand an email to the relay, in the relay's own words."""

    __tablename__ = "email_attempt"

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(
        ForeignKey("outbox_email.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    outcome: Mapped[str] = mapped_column(String(16))
    phase: Mapped[str] = mapped_column(String(16))
    code: Mapped[int | None]
    enhanced_code: Mapped[str | None] = mapped_column(String(16))
    reply: Mapped[str] = mapped_column(Text)
    duration_ms: Mapped[int]


class SuppressedAddress(Base):
    """An address that no email goes to any more, and why."""

    __tablename__ = "suppressed_address"

    address: Mapped[str] = mapped_column(String(320), primary_key=True)
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


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
    return session.scalar(select(OutboxEmail.id).where(*_due(now)).limit(1)) is not None


def claim(session: Session, worker: str, now: datetime, limit: int) -> list[OutboxEmail]:
    """Lease up to ``limit`` due emails to ``worker``, most urgent first. They stay ``queued``."""
    due = (
        select(OutboxEmail.id)
        .where(*_due(now))
        .order_by(OutboxEmail.priority, OutboxEmail.next_attempt_at, OutboxEmail.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed = session.scalars(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(due), OutboxEmail.state == "queued")
        .values(leased_by=worker, leased_until=now + LEASE)
        .returning(OutboxEmail)
        .execution_options(synchronize_session=False)
    ).all()
    return sorted(claimed, key=lambda email: (email.priority, email.next_attempt_at, email.id))


def _due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return (
        OutboxEmail.state == "queued",
        OutboxEmail.next_attempt_at <= now,
        or_(OutboxEmail.leased_until.is_(None), OutboxEmail.leased_until < now),
    )


def renew(session: Session, worker: str, now: datetime, email_ids: Collection[int]) -> None:
    """The heartbeat: extend the leases of what ``worker`` still works on."""
    _update(
        session,
        OutboxEmail.id.in_(email_ids),
        OutboxEmail.leased_by == worker,
        leased_until=now + LEASE,
    )


def hand_back(
    session: Session, worker: str, email_ids: Collection[int], reason: str | None = None
) -> None:
    """Give leased emails that were not begun back to the queue, with the reason why they wait, if
    there is one.
    """
    _update(
        session,
        OutboxEmail.id.in_(email_ids),
        OutboxEmail.state == "queued",
        OutboxEmail.leased_by == worker,
        leased_by=None,
        leased_until=None,
        **({} if reason is None else {"reason": reason}),
    )


def begin_sending(session: Session, email: OutboxEmail, worker: str, now: datetime) -> bool:
    """Commit this before the body goes out. False: the lease is not ours any more, or the email
    must not go out.
    """
    return _move(
        session,
        email,
        State.QUEUED,
        OutboxEmail.leased_by == worker,
        OutboxEmail.leased_until > now,
        state=State.SENDING,
    )


# --- The verdict --------------------------------------------------------------


def accepted(
    session: Session,
    email: OutboxEmail,
    worker: str,
    now: datetime,
    attempt: Attempt,
    *,
    erase: bool,
) -> bool:
    """2xx after the final dot: ``sent``."""
    return _settle(
        session,
        email,
        worker,
        now,
        attempt,
        state=State.SENT,
        reason=None,
        sent_at=now,
        **_erased(erase),
    )


def refused(
    session: Session,
    email: OutboxEmail,
    worker: str,
    now: datetime,
    attempt: Attempt,
    *,
    erase: bool,
) -> bool:
    """5xx to this email: ``failed``, with the relay's words."""
    return _settle(
        session,
        email,
        worker,
        now,
        attempt,
        state=State.FAILED,
        reason=attempt.reply,
        **_erased(erase),
    )


def deferred(
    session: Session,
    email: OutboxEmail,
    worker: str,
    now: datetime,
    attempt: Attempt,
    *,
    jitter: float,
    erase: bool,
) -> bool:
    """4xx to this email, or lost before the final dot: ``queued`` for a later time, or ``failed``
    after the last one.

    ``jitter`` between 0 and 1 spreads the retries over a tenth of the wait.
    """
    if email.attempts >= len(RETRY_DELAYS):
        reason = f"refused for 48 hours, last: {attempt.reply}"
        return _settle(
            session,
            email,
            worker,
            now,
            attempt,
            state=State.FAILED,
            reason=reason,
            attempts=email.attempts + 1,
            **_erased(erase),
        )
    delay = RETRY_DELAYS[email.attempts]
    return _settle(
        session,
        email,
        worker,
        now,
        attempt,
        state=State.QUEUED,
        reason=attempt.reply,
        attempts=email.attempts + 1,
        next_attempt_at=now + delay * (1 + jitter / 10),
    )


def postponed(
    session: Session, email: OutboxEmail, worker: str, now: datetime, attempt: Attempt
) -> bool:
    """Not this email's fault: back to ``queued`` as it was, no attempt used up."""
    return _settle(session, email, worker, now, attempt, state=State.QUEUED, reason=attempt.reply)


def in_doubt(
    session: Session,
    email: OutboxEmail,
    worker: str,
    now: datetime,
    attempt: Attempt,
    *,
    resend: bool,
    erase: bool,
) -> bool:
    """Lost after the final dot went out: ``unknown``, or with ``resend`` back to ``queued`` under
    the same Message-ID.
    """
    if resend:
        return deferred(session, email, worker, now, attempt, jitter=0.0, erase=erase)
    return _settle(session, email, worker, now, attempt, state=State.UNKNOWN, reason=attempt.reply)


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
        **_erased(erase),
    )


def supersede(session: Session, newer: OutboxEmail, *, erase: bool) -> None:
    """Mark every older queued email of the same kind about the same thing as ``superseded`` by
    ``newer``.
    """
    _update(
        session,
        OutboxEmail.kind == newer.kind,
        OutboxEmail.about == newer.about,
        OutboxEmail.id != newer.id,
        OutboxEmail.state == "queued",
        state=State.SUPERSEDED,
        reason=f"email {newer.id} about the same thing is newer",
        next_attempt_at=None,
        leased_by=None,
        leased_until=None,
        **_erased(erase),
    )


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
    session: Session, worker: str, now: datetime, *, dead: bool
) -> list[OutboxEmail]:
    """Free what ``worker`` had leased and not begun, and return what it was sending: that is in
    doubt now.

    Of a ``dead`` worker that is everything, of another one what its heartbeat forgot.
    """
    theirs = [OutboxEmail.leased_by == worker]
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


def _settle(
    session: Session,
    email: OutboxEmail,
    worker: str,
    now: datetime,
    attempt: Attempt,
    **values: Any,
) -> bool:
    """End this worker's hold on an email, and record the attempt. An envelope can be refused before
    ``sending``.
    """
    moved = _move(
        session,
        email,
        OutboxEmail.state.in_([State.SENDING, State.QUEUED]),
        OutboxEmail.leased_by == worker,
        leased_by=None,
        leased_until=None,
        **values,
    )
    if moved:
        session.add(
            EmailAttempt(
                email_id=email.id,
                at=now,
                outcome=attempt.outcome,
                phase=attempt.phase,
                code=attempt.code,
                enhanced_code=attempt.enhanced_code,
                reply=attempt.reply,
                duration_ms=attempt.duration_ms,
            )
        )
    return moved


def _move(
    session: Session,
    email: OutboxEmail,
    leaves: ColumnElement[bool] | State,
    *conditions: ColumnElement[bool],
    **values: Any,
) -> bool:
    if isinstance(leaves, State):
        leaves = OutboxEmail.state == leaves
    return _update(session, OutboxEmail.id == email.id, leaves, *conditions, **values) == 1


def _update(session: Session, *conditions: ColumnElement[bool], **values: Any) -> int:
    result = session.execute(
        update(OutboxEmail)
        .where(*conditions)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def _erased(erase: bool) -> dict[str, None]:
    return {"html_body": None, "text_body": None} if erase else {}
