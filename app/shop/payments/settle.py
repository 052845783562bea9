"""Settle a payment: its result makes the order paid, once, with a receipt."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import Order, OrderState, Payment, PaymentState, Receipt, ReceiptCounter
from app.shop.payments.provider import PaymentOutcome, PaymentResult

log = logging.getLogger(__name__)


def settle(
    session: Session,
    payment_id: str,
    result: PaymentResult,
    *,
    now: datetime,
    zone: tzinfo = UTC,
    send_receipt: Callable[[Order, Payment, Receipt], None],
) -> bool:
    """Record the result of a payment. Returns whether this call settled it (STANDARDS D3).

    Every way to learn of a result ends here, in any order and any number of times. The first call
    settles the payment; later calls change nothing. If amount, currency and order match, the order
    becomes paid, the receipt gets its number and ``send_receipt`` queues its email, all in the
    transaction of ``session``. ``zone`` decides to which year the receipt belongs. If they do not
    match, the payment is held for a person to check.
    """
    if result.outcome is PaymentOutcome.PENDING or not _write_outcome(
        session, payment_id, result, now
    ):
        return False
    if result.outcome is PaymentOutcome.FAILED:
        log.info("payment failed: payment=%s", payment_id)
        return True
    payment = session.get_one(Payment, payment_id)
    order = payment.order
    problem = _mismatch(order, payment, result)
    if problem is None and not _mark_paid(session, order, now):
        problem = "the order was already paid by another payment"
    if problem is not None:
        payment.state = PaymentState.HELD
        payment.held_because = problem
        log.error("payment held: payment=%s problem=%s", payment_id, problem)
        return True
    receipt = _issue_receipt(session, order, payment, now, zone)
    send_receipt(order, payment, receipt)
    log.info("order paid: order=%d payment=%s receipt=%s", order.id, payment_id, receipt.number)
    return True


def _write_outcome(session: Session, payment_id: str, result: PaymentResult, now: datetime) -> bool:
    paid = result.outcome is PaymentOutcome.PAID
    # A payment that failed can still be paid later.
    unsettled = [PaymentState.PENDING, PaymentState.FAILED] if paid else [PaymentState.PENDING]
    written = session.scalars(
        update(Payment)
        .where(Payment.id == payment_id, Payment.state.in_(unsettled))
        .values(
            state=PaymentState.PAID if paid else PaymentState.FAILED,
            card_brand=result.card_brand,
            card_last4=result.card_last4,
            settled_at=now,
        )
        .returning(Payment.id)
    ).one_or_none()
    return written is not None


def _mismatch(order: Order, payment: Payment, result: PaymentResult) -> str | None:
    """How the result differs from the order, for staff to read; None if it matches."""
    if result.order_number != order.number:
        return f"it was paid for order {result.order_number}"
    if (result.amount, result.currency) != (order.total, order.currency):
        return f"{result.amount} {result.currency} came, {order.total} {order.currency} was asked"
    return None


def _mark_paid(session: Session, order: Order, now: datetime) -> bool:
    marked = session.scalars(
        update(Order)
        .where(Order.id == order.id, Order.state == OrderState.OPEN)
        .values(state=OrderState.PAID, paid_at=now)
        .returning(Order.id)
    ).one_or_none()
    return marked is not None


def _issue_receipt(
    session: Session, order: Order, payment: Payment, now: datetime, zone: tzinfo
) -> Receipt:
    """Write the receipt of ``order``, numbered without gaps within the year of ``now`` in ``zone``
    (STANDARDS D7).

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
