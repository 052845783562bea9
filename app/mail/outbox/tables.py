"""The tables of the outbox: emails, their attachments, every attempt, and suppressed addresses.

The states of an email::

    queued ──body goes out──► sending ──2xx──► sent ──(report)──► bounced
      ▲                          ├─ 4xx, or connection lost before the final dot ──► queued (later)
      │                          ├─ 5xx ──► failed
      │                          └─ connection or process lost after the final dot ──► unknown
      ├── composed again ◄── failed, because its template was broken
      ├── the kind's policy is "resend" ◄─────────────────────────────────────── unknown ("hold")
      └── a person resends or releases it ◄── any state in NOT_ACCEPTED

    never sent, each with a reason:
    captured · suppressed · throttled · expired · superseded · cancelled

When the 2xx for an email in doubt arrives after all, the email becomes ``sent``.

``claims`` holds the way from ``queued`` to a worker, ``outcomes`` what an attempt changes,
``endings`` the states in the last group, and ``decisions`` what a person may change.
"""

import secrets
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    insert,
    literal_column,
    or_,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship
from sqlalchemy.sql.elements import ColumnElement

from app.database.base import Base
from app.mail import addresses
from app.mail.message import Attachment


class State(StrEnum):
    """The state of an email. The picture at the top of this file shows how they follow."""

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


UNDER_WAY = (State.QUEUED, State.SENDING, State.UNKNOWN)
"""The states of an email that may still go out, so its bodies are needed."""
ERASED = "erased"
"""What stands in the place of a recipient, a subject and a reason that were erased."""
NOT_ACCEPTED = (
    State.FAILED,
    State.UNKNOWN,
    State.CAPTURED,
    State.SUPPRESSED,
    State.THROTTLED,
    State.EXPIRED,
    State.SUPERSEDED,
    State.CANCELLED,
)
"""The states in which workers leave an email alone, and no relay has confirmed that it took it."""
QUEUED_OR_SENDING = (State.QUEUED, State.SENDING)
NORMAL = (*QUEUED_OR_SENDING, State.SENT)
"""The states that an email passes through when nothing goes wrong."""


def _partial_index(name: str, *columns: str, where: ColumnElement[bool]) -> Index:
    return Index(name, *columns, postgresql_where=where, sqlite_where=where)


def _is_not(column: Mapped[str], states: Sequence[State]) -> ColumnElement[bool]:
    # For NOT IN, SQLite would build a table of the states each time when an email changes.
    return and_(*(column != literal_column(f"'{state}'") for state in states))


class OutboxEmail(Base):
    """One email, from the moment its transaction committed."""

    __tablename__ = "outbox_email"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(String(200), unique=True)
    """The idempotency key, such as ``password_reset:7``. A second email with it is not written."""
    kind: Mapped[str] = mapped_column(String(64))
    about: Mapped[str] = mapped_column(String(200))
    asked_by: Mapped[str | None] = mapped_column(String(64))
    """Who asked for it, such as a browser, where limits count each of them apart."""
    priority: Mapped[int]
    locale: Mapped[str] = mapped_column(String(16))
    sender: Mapped[str] = mapped_column(Text)
    envelope_sender: Mapped[str] = mapped_column(String(320))
    recipient_name: Mapped[str] = mapped_column(Text)
    recipient: Mapped[str] = mapped_column(Text)
    recipient_key: Mapped[str] = mapped_column(
        String(320),
        default=lambda row: addresses.key_of(row.get_current_parameters()["recipient"]),
    )
    """The recipient as limits and suppression compare it, regardless of case."""
    mailbox_key: Mapped[str] = mapped_column(
        String(320),
        default=lambda row: addresses.mailbox_key_of(row.get_current_parameters()["recipient"]),
        server_default=text("''"),
    )
    """The recipient's mailbox, by which limits count what one client asks for."""
    reply_to: Mapped[str] = mapped_column(String(320))
    subject: Mapped[str] = mapped_column(Text)
    html_body: Mapped[str | None] = mapped_column(Text)
    text_body: Mapped[str | None] = mapped_column(Text)
    made_from: Mapped[str | None] = mapped_column(Text)
    """What an email that could not be composed is made from, as JSON (``app.mail.recomposing``).
    None once it has bodies. It is erased as bodies are.
    """
    message_id: Mapped[str] = mapped_column(String(320), unique=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often the relay deferred this email or lost the connection during it. An unavailable
    relay does not count.
    """
    next_attempt_at: Mapped[datetime | None]
    expires_at: Mapped[datetime]
    leased_by: Mapped[str | None] = mapped_column(String(40))
    leased_until: Mapped[datetime | None]
    request_id: Mapped[str] = mapped_column(String(64), default="")
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    heard: Mapped[str | None] = mapped_column(String(16))
    """The weightiest event heard about it (``app.mail.events.tables.Event``), so that an outcome
    only rises.
    """
    delivered_at: Mapped[datetime | None]
    """When the recipient's server accepted it, if an event has told so."""

    attachments: Mapped[list["EmailAttachment"]] = relationship(
        order_by="EmailAttachment.position", lazy="selectin", cascade="all, delete-orphan"
    )

    __table_args__ = (
        # The two indexes below leave out sent emails, so a million of them do not slow a claim.
        _partial_index(
            "ix_outbox_email_due", "priority", "next_attempt_at", "id", where=state == "queued"
        ),
        _partial_index("ix_outbox_email_leased", "leased_by", where=leased_by.is_not(None)),
        Index("ix_outbox_email_mailbox", "mailbox_key", "kind", "created_at"),
        Index("ix_outbox_email_recipient", "recipient_key", "id"),
        Index("ix_outbox_email_about", "about", "kind"),
        # Retention reads this index, which leaves out the emails that it has erased.
        _partial_index(
            "ix_outbox_email_erasable",
            "created_at",
            where=or_(html_body.is_not(None), text_body.is_not(None)),
        ),
        # Few emails cannot be composed, so this index is nearly empty.
        _partial_index("ix_outbox_email_uncomposed", "id", where=made_from.is_not(None)),
        # At the end of their time to live, failed emails lose the bodies that hold a secret.
        Index(
            "ix_outbox_email_failed",
            "expires_at",
            postgresql_where=(state == "failed"),
            sqlite_where=(state == "failed"),
        ),
        # Staff search the two indexes below. To cost delivery little, the first gets an email only
        # when its state is final or held, and the second only when it is not sent.
        _partial_index(
            "ix_outbox_email_kind", "state", "kind", "id", where=_is_not(state, QUEUED_OR_SENDING)
        ),
        _partial_index("ix_outbox_email_state", "state", "id", where=_is_not(state, NORMAL)),
    )

    @property
    def has_body(self) -> bool:
        """False when the bodies were erased or never stored."""
        return self.html_body is not None or self.text_body is not None

    @property
    def request_in_log(self) -> str:
        """The end of a log line about it: `` request=<id>``, or nothing if no request wrote it."""
        return f" request={self.request_id}" if self.request_id else ""


IS_QUEUED = OutboxEmail.state == literal_column("'queued'")
"""The condition for searches. The state is a literal, because a prepared plan of PostgreSQL cannot
match a parameter with the partial index on queued emails.
"""
IS_SETTLED = _is_not(OutboxEmail.state, QUEUED_OR_SENDING)
IS_ODD = _is_not(OutboxEmail.state, NORMAL)
"""The conditions of the two indexes that staff search, as literals for the same reason."""
HAS_BODY = or_(OutboxEmail.html_body.is_not(None), OutboxEmail.text_body.is_not(None))
IS_UNCOMPOSED = OutboxEmail.made_from.is_not(None)


def new_message_id(domain: str) -> str:
    """A new unique Message-ID in angle brackets (RFC 5322 3.6.4)."""
    return f"<{secrets.token_hex(16)}@{domain}>"


class EmailAttachment(Base):
    """A file attached to an email."""

    __tablename__ = "email_attachment"

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(ForeignKey("outbox_email.id", ondelete="CASCADE"))
    position: Mapped[int]
    filename: Mapped[str] = mapped_column(Text)
    content_type: Mapped[str] = mapped_column(String(127))
    content: Mapped[bytes] = mapped_column(LargeBinary)

    __table_args__ = (UniqueConstraint("email_id", "position"),)


def attachment_rows(attachments: Iterable[Attachment | EmailAttachment]) -> list[EmailAttachment]:
    """New rows for the attachments of a message or of another email, in their order."""
    return [
        EmailAttachment(
            position=position,
            filename=attachment.filename,
            content_type=attachment.content_type,
            content=attachment.content,
        )
        for position, attachment in enumerate(attachments)
    ]


def write_attachments(session: Session, email_id: int, attachments: Iterable[Attachment]) -> None:
    """Write the attachments of an email that has none in the database, in their order."""
    written = [
        {
            "email_id": email_id,
            "position": position,
            "filename": attachment.filename,
            "content_type": attachment.content_type,
            "content": attachment.content,
        }
        for position, attachment in enumerate(attachments)
    ]
    if written:
        # One statement for all of them. The ids are of no use, so the database returns none.
        session.execute(insert(EmailAttachment), written)


class EmailAttempt(Base):
    """One attempt to hand an email to the relay, with the text of the relay's reply."""

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
    """An address to which nothing is sent before ``until``, with the reason.

    The row stays when that time has come, because the next bounce suppresses for longer. An email
    that is delivered deletes it.
    """

    __tablename__ = "suppressed_address"

    address: Mapped[str] = mapped_column(String(320), primary_key=True)
    """In the form that ``addresses.key_of`` returns."""
    reason: Mapped[str] = mapped_column(Text)
    event: Mapped[str | None] = mapped_column(String(16))
    """What suppressed it: ``bounced`` or ``complained``. None when a person wrote the row."""
    code: Mapped[str | None] = mapped_column(String(16))
    """The enhanced status code (RFC 3463) that came with it, such as ``5.1.1``."""
    created_at: Mapped[datetime]
    """When the last suppression began."""
    until: Mapped[datetime]
    bounces: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many hard bounces have suppressed it, one after the other."""
    email_id: Mapped[int | None] = mapped_column(ForeignKey("outbox_email.id", ondelete="SET NULL"))
    """The email whose event was the last to suppress it."""
    tried_again_at: Mapped[datetime | None]
    """When its owner last asked us to try it again, which ended the suppression."""


def suppressions(
    session: Session, keys: Collection[str], now: datetime
) -> dict[str, SuppressedAddress]:
    """Those of the recipients' ``keys`` to which nothing is sent at ``now``."""
    rows = session.scalars(_SUPPRESSED, {"keys": list(keys), "now": now})
    return {row.address: row for row in rows}


_SUPPRESSED = select(SuppressedAddress).where(
    SuppressedAddress.address.in_(bindparam("keys", expanding=True)),
    SuppressedAddress.until > bindparam("now"),
)
