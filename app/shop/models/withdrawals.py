"""Withdrawals: customers' statements that they withdraw from a contract (CRD Article 11a)."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database.base import Base
from app.shop.models.orders import Order


class WithdrawalState(StrEnum):
    RECEIVED = "received"
    """Staff have to decide."""
    ACCEPTED = "accepted"
    """The money goes back."""
    CLOSED = "closed"
    """Nothing goes back, and ``note`` says why."""


class Withdrawal(Base):
    """One statement. ``order_number``, ``name`` and ``email`` are as the customer typed them."""

    __tablename__ = "shop_withdrawal"

    id: Mapped[int] = mapped_column(primary_key=True)
    token: Mapped[str] = mapped_column(String(32), unique=True)
    """Names the form that was sent, so that sending it twice is one statement."""
    order_id: Mapped[int | None] = mapped_column(ForeignKey(Order.id), index=True)
    """None when no order has this number and email address."""
    order_number: Mapped[str] = mapped_column(String(14))
    name: Mapped[str] = mapped_column(Text)
    email: Mapped[str] = mapped_column(String(320))
    positions: Mapped[list[int]] = mapped_column(JSON)
    """The lines of the order that the customer withdraws from."""
    locale: Mapped[str] = mapped_column(String(16))
    received_at: Mapped[datetime]
    request_id: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default=WithdrawalState.RECEIVED)
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(64))
    note: Mapped[str] = mapped_column(Text, default="")

    order: Mapped[Order | None] = relationship()

    __table_args__ = (
        Index(
            "ix_shop_withdrawal_undecided",
            "received_at",
            postgresql_where=(state == "received"),
            sqlite_where=(state == "received"),
        ),
    )
