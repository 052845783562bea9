"""Receipts: what a paid order gets, numbered without a gap within a year (STANDARDS D7)."""

from datetime import datetime

from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import Order, Payment, Receipt, ReceiptCounter


def issue_receipt(session: Session, order: Order, payment: Payment, now: datetime) -> Receipt:
    """Write the receipt of ``order``. Its year is that of ``now`` in UTC.

    The number is taken and used in one transaction, so a rollback gives it back; the counter's row
    makes two transactions that want a number wait for each other.
    """
    counter = insert_for(session, ReceiptCounter).values(year=now.year, last=1)
    sequence = session.scalars(
        counter.on_conflict_do_update(
            index_elements=["year"], set_={"last": ReceiptCounter.last + 1}
        ).returning(ReceiptCounter.last)
    ).one()
    receipt = Receipt(
        order_id=order.id, payment_id=payment.id, year=now.year, sequence=sequence, issued_at=now
    )
    session.add(receipt)
    session.flush()
    return receipt
