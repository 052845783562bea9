"""The shop's tables.

An order holds snapshots of its goods, prices, tax, seller and buyer, written once when it is
placed. A later change of a product, account or seller changes no order and no receipt (STANDARDS
D2). Amounts are whole minor units of ``currency`` and include VAT. Rates are basis points: 1900 is
19%.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Account
from app.database.base import Base

Amount = Annotated[int, mapped_column(BigInteger)]
"""Whole minor units. The total of a full basket can exceed 32 bits."""


class OrderState(StrEnum):
    """Whether an order is paid."""

    OPEN = "open"
    PAID = "paid"


class PaymentState(StrEnum):
    """The state of a payment. Only ``settle`` changes it."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    HELD = "held"
    """Paid, but it does not match the order. A person has to check it."""


class Seller(Base):
    """The seller's data on receipts, in a single row. Name and support address are settings."""

    __tablename__ = "shop_seller"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    """Postal address, with line breaks."""
    vat_id: Mapped[str] = mapped_column(String(20))
    statement_name: Mapped[str] = mapped_column(String(22))
    """The seller's name on the customer's card statement."""

    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)


class Product(Base):
    """Something to buy."""

    __tablename__ = "shop_product"

    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str] = mapped_column(Text)
    price: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    vat_rate: Mapped[int]
    picture: Mapped[str | None] = mapped_column(String(64))
    """File name of its drawing in ``app/static/shop``, if it has one."""
    position: Mapped[int] = mapped_column(default=0)
    """Order in the catalogue, the lowest first."""
    is_available: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("vat_rate >= 0", name="vat_rate"),
    )


class Order(Base):
    """An order, with snapshots of everything that its documents say.

    ``basket_id`` is unique, so two POSTs of one basket make one order (STANDARDS D1).
    """

    __tablename__ = "shop_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(14), unique=True)
    basket_id: Mapped[str] = mapped_column(String(32), unique=True)
    account_id: Mapped[int | None] = mapped_column(
        ForeignKey(Account.id, ondelete="SET NULL"), index=True
    )
    state: Mapped[str] = mapped_column(String(16), default=OrderState.OPEN)
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]

    seller_name: Mapped[str] = mapped_column(Text)
    seller_address: Mapped[str] = mapped_column(Text)
    seller_vat_id: Mapped[str] = mapped_column(String(20))
    seller_support_email: Mapped[str] = mapped_column(String(320))
    seller_statement_name: Mapped[str] = mapped_column(String(22))

    buyer_name: Mapped[str] = mapped_column(Text)
    buyer_address: Mapped[str] = mapped_column(Text)
    buyer_email: Mapped[str] = mapped_column(Text)
    locale: Mapped[str] = mapped_column(String(16))
    body_format: Mapped[str] = mapped_column(String(8))

    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[Amount]
    vat: Mapped[Amount]
    total: Mapped[Amount]

    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.position")
    taxes: Mapped[list["OrderTax"]] = relationship(order_by="OrderTax.rate")
    payments: Mapped[list["Payment"]] = relationship(
        back_populates="order", order_by="Payment.attempt"
    )
    receipt: Mapped["Receipt | None"] = relationship()

    @property
    def is_paid(self) -> bool:
        """Whether a payment has paid it."""
        return self.state == OrderState.PAID


class OrderLine(Base):
    """A line of an order: a snapshot of the product at the time of ordering."""

    __tablename__ = "shop_order_line"

    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    quantity: Mapped[int]
    unit_price: Mapped[Amount]
    vat_rate: Mapped[int]
    total: Mapped[Amount]

    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("total = quantity * unit_price", name="total"),
    )


class OrderTax(Base):
    """An order's sums at one VAT rate."""

    __tablename__ = "shop_order_tax"

    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"), primary_key=True)
    rate: Mapped[int] = mapped_column(primary_key=True)
    net: Mapped[Amount]
    vat: Mapped[Amount]
    gross: Mapped[Amount]

    __table_args__ = (CheckConstraint("gross = net + vat", name="gross"),)


class Payment(Base):
    """One attempt to pay an order. Its id is random, because it appears in URLs."""

    __tablename__ = "shop_payment"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"))
    attempt: Mapped[int]
    """1 for the first. The next one is made only when the previous one cannot be paid."""
    provider: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str | None] = mapped_column(String(255))
    """The provider's reference, once the payment is started."""
    amount: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(16), default=PaymentState.PENDING)
    held_because: Mapped[str | None] = mapped_column(Text)
    card_brand: Mapped[str | None] = mapped_column(String(32))
    card_last4: Mapped[str | None] = mapped_column(String(4))
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship(back_populates="payments")

    __table_args__ = (
        UniqueConstraint("order_id", "attempt"),
        UniqueConstraint("provider", "reference"),
    )

    @property
    def is_test(self) -> bool:
        """Whether no money moves. Every page and email about it says so (STANDARDS D12)."""
        return self.provider == "test"


class Receipt(Base):
    """The receipt of a paid order. Its numbers have no gaps within a year (STANDARDS D7)."""

    __tablename__ = "shop_receipt"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"), unique=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey("shop_payment.id"))
    year: Mapped[int]
    sequence: Mapped[int]
    issued_at: Mapped[datetime]

    __table_args__ = (UniqueConstraint("year", "sequence"),)

    @property
    def number(self) -> str:
        """The receipt number as customers see it, such as ``2026-000042``."""
        return f"{self.year}-{self.sequence:06}"


class ReceiptCounter(Base):
    """The last receipt number of a year. The transaction that writes a receipt increments it."""

    __tablename__ = "shop_receipt_counter"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
