"""The shop's tables.

What an order says about goods, prices, tax, seller and buyer are snapshots, written once when it
is placed: whoever edits a product, an account or the seller later changes no document (STANDARDS
D2). Amounts are whole minor units of ``currency`` and include VAT; rates are basis points, 1900
for 19%.
"""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Account
from app.database.base import Base

Amount = Annotated[int, mapped_column(BigInteger)]
"""Whole minor units. A full basket of dear things can be more than 32 bits hold."""


class OrderState(StrEnum):
    """Whether an order was paid."""

    OPEN = "open"
    PAID = "paid"


class PaymentState(StrEnum):
    """Where a payment is. Only ``settle`` moves it on from ``pending``."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"
    HELD = "held"
    """Money came, but not the money that was asked for: a person has to look."""


class Seller(Base):
    """Who sells, beside the site's name and support address. Every receipt needs this row."""

    __tablename__ = "shop_seller"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    """Postal address, one line per line."""
    vat_id: Mapped[str] = mapped_column(String(20))
    statement_name: Mapped[str] = mapped_column(String(22))
    """What the customer's card statement shows."""

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
    """File name of a drawing in ``app/static/shop``, if there is one."""
    position: Mapped[int] = mapped_column(default=0)
    """Its place in the catalogue, the lowest first."""
    is_available: Mapped[bool] = mapped_column(default=True)

    __table_args__ = (
        CheckConstraint("price >= 0", name="price"),
        CheckConstraint("vat_rate >= 0", name="vat_rate"),
    )


class Order(Base):
    """What a customer ordered, complete in itself.

    ``basket_id`` is what makes two POSTs of a basket one order (D1).
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
        """Whether the money for it came."""
        return self.state == OrderState.PAID


class OrderLine(Base):
    """One line of an order, as the product was when it was ordered."""

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
    """All that an order has at one VAT rate."""

    __tablename__ = "shop_order_tax"

    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"), primary_key=True)
    rate: Mapped[int] = mapped_column(primary_key=True)
    net: Mapped[Amount]
    vat: Mapped[Amount]
    gross: Mapped[Amount]

    __table_args__ = (CheckConstraint("gross = net + vat", name="gross"),)


class Payment(Base):
    """One attempt to pay an order. Its id is random, since a provider shows it in addresses."""

    __tablename__ = "shop_payment"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"))
    attempt: Mapped[int]
    """1 for the first; the next one is made only when the one before has failed."""
    provider: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str | None] = mapped_column(String(255))
    """What the provider calls it, once the provider knows it."""
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
        """Whether no money moves by it, which every page and email about it says (D12)."""
        return self.provider == "test"


class Receipt(Base):
    """The document of a paid order. Within a year the numbers have no gap (D7)."""

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
        """The receipt number as people see it: ``2026-000042``."""
        return f"{self.year}-{self.sequence:06}"


class ReceiptCounter(Base):
    """The last receipt number of a year, moved by the transaction that writes the receipt."""

    __tablename__ = "shop_receipt_counter"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
