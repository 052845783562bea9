"""What happened to orders: who did what, and which of the provider's events were acted on."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base
from app.shop.models.orders import Order


class ShopEvent(Base):
    """One event. The transaction that acted on it writes it."""

    __tablename__ = "shop_event"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(64))
    order_id: Mapped[int | None] = mapped_column(ForeignKey(Order.id), index=True)
    by: Mapped[str] = mapped_column(String(64))
    """The id of the request, or the name of the command or service."""
    provider_event: Mapped[str | None] = mapped_column(String(255), unique=True)
    """The provider's id of the event that told us."""
    detail: Mapped[str] = mapped_column(Text, default="")
    """More about it, for staff: ids, amounts, states. No address and no token."""
