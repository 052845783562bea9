"""The tables of the outbox: emails, their attachments, every attempt, and suppressed addresses. How
an email moves from state to state stands in ``outbox``.
"""

import secrets
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    literal_column,
    or_,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.mail import addresses


class State(StrEnum):
    """Where an email is. See the picture at the top of ``outbox``."""

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
"""What may still go out, so that its bodies are needed."""
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
"""Where an email rests that no relay has accepted, as far as anybody knows."""


def _key_of_recipient(context: Any) -> str:
    return addresses.key_of(context.get_current_parameters()["recipient"])


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
    recipient_key: Mapped[str] = mapped_column(String(320), default=_key_of_recipient)
    """The recipient as limits and suppression know it: whatever the case, one mailbox."""
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
        Index("ix_outbox_email_recipient", "recipient_key", "kind", "created_at"),
        Index("ix_outbox_email_about", "about", "kind"),
        # Only what retention has not erased yet, so that old rows cost it nothing.
        Index(
            "ix_outbox_email_erasable",
            "created_at",
            postgresql_where=or_(html_body.is_not(None), text_body.is_not(None)),
            sqlite_where=or_(html_body.is_not(None), text_body.is_not(None)),
        ),
    )

    @property
    def has_body(self) -> bool:
        """False once the bodies were erased, or when there never were any."""
        return self.html_body is not None or self.text_body is not None


IS_QUEUED = OutboxEmail.state == literal_column("'queued'")
"""For a search. The word stands in the statement, since with a parameter PostgreSQL's prepared
plans cannot use the index that holds only what is queued.
"""
HAS_BODY = or_(OutboxEmail.html_body.is_not(None), OutboxEmail.text_body.is_not(None))


def new_message_id(domain: str) -> str:
    """A Message-ID that nothing else has, in angle brackets (RFC 5322 3.6.4)."""
    return f"<{secrets.token_hex(16)}@{domain}>"


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
    """As ``addresses.key_of`` gives it."""
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
