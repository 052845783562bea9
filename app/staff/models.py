"""What staff did to emails and addresses: who, when and what."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base


class StaffAction(Base):
    """One action, written in the transaction that carried it out. It holds no address."""

    __tablename__ = "staff_action"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("account.id", ondelete="SET NULL"))
    """The member of staff; None when a command did it, or when the account was deleted."""
    action: Mapped[str] = mapped_column(String(32))
    """Such as ``resend`` or ``lift``."""
    target: Mapped[str] = mapped_column(String(200), index=True)
    """What it was done to, such as ``email:12``, or the filter of an action on many emails."""
    done: Mapped[int]
    """How many emails or addresses it changed."""
    refused: Mapped[int] = mapped_column(default=0)
    """How many it could not change."""
    detail: Mapped[str] = mapped_column(Text, default="")
    request_id: Mapped[str] = mapped_column(String(64), default="")


class StaffActionEmail(Base):
    """An email that an action on several emails changed. ``StaffAction.target`` names the email of
    an action on one.
    """

    __tablename__ = "staff_action_email"

    action_id: Mapped[int] = mapped_column(
        ForeignKey("staff_action.id", ondelete="CASCADE"), primary_key=True
    )
    email_id: Mapped[int] = mapped_column(
        ForeignKey("outbox_email.id", ondelete="CASCADE"), primary_key=True, index=True
    )
