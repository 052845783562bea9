"""Settling: what a provider says about a payment makes its order paid, once, with a receipt."""

import logging
from collections.abc import Callable
from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from app.shop.models import Order, OrderState, Payment, PaymentState, Receipt
from app.shop.payments.provider import Outcome, PaymentResult
from app.shop.receipts import issue_receipt

log = logging.getLogger(__name__)


def settle(
    session: Session,
    payment_id: str,
    result: PaymentResult,
    *,
    now: datetime,
    send_receipt: Callable[[Order, Payment, Receipt], None],
) -> bool:
    """Write down what became of a payment; return whether this call did it (D3).

    The webhook, the return page and the reconciler all come here, in any order and as often as
    they like: one of them finds the payment unsettled, the others change nothing. What was paid is
    compared with what was asked; a mismatch is ``held`` for a person to look at. With the money
    right the order becomes paid, the receipt gets its number and ``send_receipt`` queues its email,
    all in the transaction of ``session``.
    """
    if result.outcome is Outcome.PENDING or not _write_outcome(session, payment_id, result, now):
        return False
    if result.outcome is Outcome.FAILED:
        log.info("payment %s failed", payment_id)
        return True
    payment = session.get_one(Payment, payment_id)
    order = payment.order
    problem = _mismatch(order, payment, result)
    if problem is None and not _mark_paid(session, order, now):
        problem = "the order was already paid by another payment"
    if problem is not None:
        payment.state = PaymentState.HELD
        payment.held_because = problem
        log.error("payment %s is held: %s", payment_id, problem)
        return True
    receipt = issue_receipt(session, order, payment, now)
    send_receipt(order, payment, receipt)
    log.info("payment %s paid order %s, receipt %s", payment_id, order.id, receipt.number)
    return True


def _write_outcome(session: Session, payment_id: str, result: PaymentResult, now: datetime) -> bool:
    paid = result.outcome is Outcome.PAID
    # Money that comes in the end for a payment that had failed is money all the same.
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
    """What is wrong about the money that came, in words for staff; None when nothing is."""
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
