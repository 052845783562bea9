"""Orders, with snapshots of all that their documents say."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.accounts.models import Account
from app.database.base import Base
from app.shop.models.catalogue import File
from app.shop.models.columns import Amount

if TYPE_CHECKING:
    from app.shop.models.documents import Document
    from app.shop.models.payments import Payment


class OrderState(StrEnum):
    """Whether an order is paid."""

    OPEN = "open"
    PAID = "paid"


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
    paid_at: Mapped[datetime | None] = mapped_column(index=True)

    seller_name: Mapped[str] = mapped_column(Text)
    seller_address: Mapped[str] = mapped_column(Text)
    seller_country: Mapped[str] = mapped_column(String(2), server_default=text("''"))
    seller_vat_id: Mapped[str] = mapped_column(String(20))
    seller_register: Mapped[str] = mapped_column(Text, server_default=text("''"))
    seller_support_email: Mapped[str] = mapped_column(String(320))
    seller_phone: Mapped[str] = mapped_column(Text, server_default=text("''"))
    seller_statement_name: Mapped[str] = mapped_column(String(22))
    vat_sentence: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """Why the seller charges no VAT. Empty when the seller does."""
    terms: Mapped[str] = mapped_column(Text, server_default=text("''"))
    """The terms and conditions that the buyer agreed to."""

    buyer_name: Mapped[str] = mapped_column(Text)
    buyer_address: Mapped[str] = mapped_column(Text)
    """Postal address, with line breaks. Empty when the buyer gave none."""
    buyer_country: Mapped[str] = mapped_column(String(2), server_default=text("''"))
    """ISO 3166-1 alpha-2, in capitals."""
    buyer_email: Mapped[str] = mapped_column(Text)
    locale: Mapped[str] = mapped_column(String(16))
    body_format: Mapped[str] = mapped_column(String(8))

    currency: Mapped[str] = mapped_column(String(3))
    net: Mapped[Amount]
    vat: Mapped[Amount]
    total: Mapped[Amount]

    consent_at: Mapped[datetime | None]
    """When the buyer asked to start the downloads at once, and acknowledged that this ends the
    right of withdrawal (CRD Article 16(m)).
    """
    # SQLite cannot add a time that is never NULL to a table that exists. It is never NULL.
    withdrawal_ends_at: Mapped[datetime] = mapped_column(nullable=True)
    """The end of the fourteenth day after the order's, in ``site.time_zone``."""
    opened_at: Mapped[datetime | None] = mapped_column()
    """When its downloads opened: by consent, or at ``withdrawal_ends_at``."""

    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.position")
    taxes: Mapped[list["OrderTax"]] = relationship(order_by="OrderTax.rate")
    payments: Mapped[list["Payment"]] = relationship(
        back_populates="order", order_by="Payment.attempt"
    )
    documents: Mapped[list["Document"]] = relationship(order_by="Document.id")

    __table_args__ = (
        # The reconciler opens the downloads of the orders whose time has come.
        Index(
            "ix_shop_order_closed",
            "withdrawal_ends_at",
            postgresql_where=opened_at.is_(None),
            sqlite_where=opened_at.is_(None),
        ),
    )

    @property
    def withdraw_until(self) -> datetime:
        """The last moment in which the buyer can withdraw. The midnight that ends the right is no
        part of its last day any more.
        """
        return self.withdrawal_ends_at - timedelta(microseconds=1)

    @property
    def receipt(self) -> "Document | None":
        """The document about its payment, None as long as it is not paid."""
        return next((document for document in self.documents if document.kind == "receipt"), None)

    @property
    def is_paid(self) -> bool:
        """Whether a payment has paid it."""
        return self.state == OrderState.PAID

    @property
    def is_test(self) -> bool:
        """Whether no money moves for it, because one of its payments is a test."""
        return any(payment.is_test for payment in self.payments)


class OrderLine(Base):
    """A line of an order: a snapshot of the product at the time of ordering."""

    __tablename__ = "shop_order_line"

    order_id: Mapped[int] = mapped_column(ForeignKey("shop_order.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(120))
    format: Mapped[str] = mapped_column(String(120), server_default=text("''"))
    """What the download is, such as "PDF, 160 pages"."""
    file_sha256: Mapped[str | None] = mapped_column(ForeignKey(File.sha256))
    """None for goods by post, which earlier versions sold."""
    file_name: Mapped[str] = mapped_column(Text, server_default=text("''"))
    quantity: Mapped[int]
    unit_price: Mapped[Amount]
    vat_rate: Mapped[int]
    total: Mapped[Amount]
    first_download_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    """When its download was closed, because the buyer withdrew from it."""

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
