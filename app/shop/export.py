"""A customer's orders, as the download of the account's data has them."""

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from app.accounts.models import Account
from app.shop.models import Order
from app.shop.payments.refunds import refunds_of


def orders_for_export(session: Session, account: Account, now: datetime) -> list[dict[str, Any]]:
    """The orders, the latest first. Amounts are in minor units."""
    orders = session.scalars(
        select(Order)
        .where(Order.account_id == account.id)
        .order_by(Order.id.desc())
        .options(selectinload(Order.lines), selectinload(Order.documents))
    )
    return [
        {
            "number": order.number,
            "receipt": order.receipt.full_number if order.receipt else None,
            "state": order.state,
            "created_at": order.created_at,
            "paid_at": order.paid_at,
            "name": order.buyer_name,
            "address": order.buyer_address,
            "email": order.buyer_email,
            "currency": order.currency,
            "net": order.net,
            "vat": order.vat,
            "total": order.total,
            "lines": [
                {"name": line.name, "quantity": line.quantity, "total": line.total}
                for line in order.lines
            ],
            "refunds": [
                {
                    "amount": refund.amount,
                    "currency": refund.currency,
                    "reason": refund.reason,
                    "state": refund.state,
                    "created_at": refund.created_at,
                }
                for refund in refunds_of(session, order)
            ],
        }
        for order in orders
    ]
