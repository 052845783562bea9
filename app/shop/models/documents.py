"""Documents: the receipts and refunds that customers keep."""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, deferred, mapped_column

from app.database.base import Base
from app.shop.models.orders import Order
from app.shop.models.payments import Payment
from app.shop.models.refunds import Refund

TEST_SERIES = "T"
"""The series of documents about test payments. The other series is ``""``."""


class DocumentKind(StrEnum):
    RECEIPT = "receipt"
    REFUND = "refund"


class Document(Base):
    """A receipt, or the document of a refund. Its numbers have no gaps within a series and year
    (STANDARDS D7).
    """

    __tablename__ = "shop_document"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    series: Mapped[str] = mapped_column(String(1))
    year: Mapped[int]
    number: Mapped[int]
    order_id: Mapped[int] = mapped_column(ForeignKey(Order.id), index=True)
    payment_id: Mapped[str] = mapped_column(ForeignKey(Payment.id))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey(Refund.id), unique=True)
    issued_at: Mapped[datetime]
    data: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """All that the document says. None for a receipt of a version that kept no documents."""
    pdf: Mapped[bytes | None] = deferred(mapped_column(LargeBinary))
    """The file as it was made, the same bytes ever after. None until it can be made."""
    sha256: Mapped[str | None] = mapped_column(String(64))
    """The digest of ``pdf``."""

    __table_args__ = (
        UniqueConstraint("series", "year", "number"),
        Index(
            "ix_shop_document_receipt",
            "order_id",
            unique=True,
            postgresql_where=(kind == "receipt"),
            sqlite_where=(kind == "receipt"),
        ),
        # The reconciler makes the files that are missing. There are hardly any.
        Index(
            "ix_shop_document_missing",
            "id",
            postgresql_where=sha256.is_(None),
            sqlite_where=sha256.is_(None),
        ),
    )

    @property
    def full_number(self) -> str:
        """The number as customers see it, such as ``2026-000042`` or ``T-2026-000001``."""
        number = f"{self.year}-{self.number:06}"
        return f"{self.series}-{number}" if self.series else number


class DocumentCounter(Base):
    """The last number of a series and year. Who writes a document increments it."""

    __tablename__ = "shop_document_counter"

    series: Mapped[str] = mapped_column(String(1), primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]
