"""Refunds: money that goes back to the customer."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database.base import Base
from app.shop.models.columns import Amount
from app.shop.models.orders import Order
from app.shop.models.payments import Payment
from app.shop.models.withdrawals import Withdrawal


class RefundState(StrEnum):
    """The state of a refund. The last two give its amount free again."""

    REQUESTED = "requested"
    """Written here. The provider has not answered yet."""
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"


OPEN = (RefundState.REQUESTED, RefundState.PENDING)
"""The states in which the provider still has something to say."""


class RefundOrigin(StrEnum):
    """Why the money goes back."""

    SHOP = "shop"
    """Staff wanted it."""
    WITHDRAWAL = "withdrawal"
    """The customer withdrew from the contract."""
    PAID_TWICE = "paid twice"
    """The order was paid already."""
    DASHBOARD = "dashboard"
    """Somebody refunded it on the provider's own pages."""


class Refund(Base):
    """One refund. Its random id is the idempotency key at the provider."""

    __tablename__ = "shop_refund"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey(Payment.id), index=True)
    position: Mapped[int | None]
    """The order's line that it is for, None when it is for no particular one."""
    withdrawal_id: Mapped[int | None] = mapped_column(ForeignKey(Withdrawal.id))
    amount: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    reason: Mapped[str] = mapped_column(Text, default="")
    """In the shop's words, for the customer to read. Empty when nobody gave one."""
    origin: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16), default=RefundState.REQUESTED)
    reference: Mapped[str | None] = mapped_column(String(255), unique=True)
    """The provider's name for it, once the provider knows it."""
    failure: Mapped[str | None] = mapped_column(Text)
    """Why it failed, in the provider's words."""
    requested_by: Mapped[str] = mapped_column(String(64))
    """The id of the request, or the name of the command or service."""
    created_at: Mapped[datetime]
    checked_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship()
    payment: Mapped[Payment] = relationship()

    __table_args__ = (
        CheckConstraint("amount > 0", name="amount"),
        Index(
            "ix_shop_refund_open",
            "created_at",
            postgresql_where=state.in_(OPEN),
            sqlite_where=state.in_(OPEN),
        ),
    )
