"""The tables of events: what was heard about an email, and when a source was last heard."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base

REPORT = "report"
"""The source of events that come in an email server's report. Other sources are services."""


class Event(StrEnum):
    """What became of an email after the relay took it, the weightiest last."""

    DEFERRED = "deferred"
    """It is still on its way."""
    AUTORESPONDED = "autoresponded"
    """A program answered it, such as a vacation notice."""
    DELIVERED = "delivered"
    """The recipient's server accepted it."""
    COMPLAINED = "complained"
    """The recipient reported it as spam."""
    REJECTED = "rejected"
    """The service accepted it and then did not send it."""
    BOUNCED = "bounced"
    """The recipient's server did not accept it, or returned it."""


WEIGHTS = {event: weight for weight, event in enumerate(Event)}
UNDELIVERED = (Event.REJECTED, Event.BOUNCED)
"""The events after which the email counts as bounced."""


class EmailEvent(Base):
    """One event of an email. A second row with the same id of the source is not written."""

    __tablename__ = "email_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    email_id: Mapped[int] = mapped_column(ForeignKey("outbox_email.id", ondelete="CASCADE"))
    at: Mapped[datetime]
    source: Mapped[str] = mapped_column(String(16))
    """The service, or ``report``."""
    event: Mapped[str] = mapped_column(String(16))
    code: Mapped[str | None] = mapped_column(String(16))
    """The enhanced status code (RFC 3463), such as ``5.1.1``."""
    words: Mapped[str] = mapped_column(Text)
    is_hard: Mapped[bool]
    """Whether a bounce says that the address takes no email at all."""
    source_id: Mapped[str] = mapped_column(String(200))
    """The source's own id of the event."""

    __table_args__ = (UniqueConstraint("email_id", "source", "source_id"),)


class EventSource(Base):
    """When a source of events was last heard, and how much of what it told was of no use."""

    __tablename__ = "event_source"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    heard_at: Mapped[datetime]
    unmatched: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many events named no email of ours."""
    unmatched_at: Mapped[datetime | None]
    unused: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """How many events said nothing about delivery, such as that an email was opened."""
    confirmation_link: Mapped[str | None] = mapped_column(Text)
    """What a person has to open before Amazon SNS tells more. The next event deletes it."""
