"""Receipts of paid orders, numbered without gaps within a year (STANDARDS D7)."""

from datetime import datetime, tzinfo

from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import Order, Payment, Receipt, ReceiptCounter


def issue_receipt(
    session: Session, order: Order, payment: Payment, now: datetime, zone: tzinfo
) -> Receipt:
    """Write the receipt of ``order``. Its year is the year of ``now`` in ``zone``.

    One transaction increments the counter and writes the receipt, so a rollback undoes both. A
    second transaction waits for the counter's row, so two receipts never get one number.
    """
    year = now.astimezone(zone).year
    counter = insert_for(session, ReceiptCounter).values(year=year, last=1)
    sequence = session.scalars(
        counter.on_conflict_do_update(
            index_elements=["year"], set_={"last": ReceiptCounter.last + 1}
        ).returning(ReceiptCounter.last)
    ).one()
    receipt = Receipt(
        order_id=order.id, payment_id=payment.id, year=year, sequence=sequence, issued_at=now
    )
    session.add(receipt)
    session.flush()
    return receipt
