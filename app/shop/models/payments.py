"""Payments: the attempts to pay an order."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database.base import Base
from app.shop.models.columns import Amount
from app.shop.models.orders import Order


class PaymentState(StrEnum):
    """The state of a payment. ``settle`` changes it, and ``current_payment`` for one that was never
    started.
    """

    PENDING = "pending"
    PROCESSING = "processing"
    """The customer has done everything, and the money is on its way, as with a direct debit."""
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    """Nobody paid in time."""
    HELD = "held"
    """Paid, but it does not match the order. A person has to check it."""


UNSETTLED = (PaymentState.PENDING, PaymentState.PROCESSING)
"""The states in which the provider still has something to say."""
NOTHING_TO_PAY = "none"
"""The ``provider`` of a payment of 0, which no provider takes part in."""


class Payment(Base):
    """One attempt to pay an order. Its id is random. It is the idempotency key of everything that
    the provider is asked about this attempt.
    """

    __tablename__ = "shop_payment"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id))
    attempt: Mapped[int]
    """1 for the first. The next one is made only when the previous one cannot be paid."""
    provider: Mapped[str] = mapped_column(String(16))
    session: Mapped[str | None] = mapped_column(String(255))
    """The provider's name for the page where the customer pays, once it has made one."""
    intent: Mapped[str | None] = mapped_column(String(255), index=True)
    """The provider's name for the movement of money, by which refunds refer to it."""
    livemode: Mapped[bool] = mapped_column(server_default=false())
    """Whether the shop takes real money, even if this payment is of 0."""
    amount: Mapped[Amount]
    """What the order costs. Of a held payment, what came."""
    currency: Mapped[str] = mapped_column(String(3))
    refunded: Mapped[Amount] = mapped_column(default=0, server_default=text("0"))
    """How much of the amount refunds have reserved or given back."""
    state: Mapped[str] = mapped_column(String(16), default=PaymentState.PENDING)
    held_because: Mapped[str | None] = mapped_column(Text)
    card_brand: Mapped[str | None] = mapped_column(String(32))
    card_last4: Mapped[str | None] = mapped_column(String(4))
    statement_name: Mapped[str | None] = mapped_column(String(64))
    """What the card statement shows, as the provider tells it."""
    created_at: Mapped[datetime]
    # SQLite cannot add a time that is never NULL to a table that exists. It is never NULL.
    expires_at: Mapped[datetime] = mapped_column(nullable=True)
    """When the provider's page closes."""
    checked_at: Mapped[datetime | None]
    """When the provider was last asked about it."""
    settled_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship(back_populates="payments")

    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        UniqueConstraint("provider", "session"),
        CheckConstraint("refunded >= 0 AND refunded <= amount", name="refunded"),
        # The reconciler reads the few payments that are not settled.
        Index(
            "ix_shop_payment_unsettled",
            "created_at",
            postgresql_where=state.in_(UNSETTLED),
            sqlite_where=state.in_(UNSETTLED),
        ),
    )

    @property
    def is_given_back(self) -> bool:
        """Whether it was held, and all of it goes back. Then the order can be paid anew."""
        return self.state == PaymentState.HELD and self.refunded == self.amount

    @property
    def is_test(self) -> bool:
        """Whether no money moves. Every page and email about it says so (STANDARDS D12)."""
        return not self.livemode
