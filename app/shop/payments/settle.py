"""Settle a payment: its result makes the order paid, once, with a receipt."""

import logging
from dataclasses import dataclass

from pyramid.request import Request
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.i18n import formats
from app.i18n.languages import SOURCE
from app.shop.documents.issue import issue
from app.shop.emails import (
    Notice,
    send_payment_failed,
    send_payment_pending,
    send_purchase_receipt,
    send_shop_notice,
)
from app.shop.events import record
from app.shop.models import (
    Document,
    DocumentKind,
    Order,
    OrderState,
    Payment,
    PaymentState,
    RefundOrigin,
)
from app.shop.models.payments import UNSETTLED
from app.shop.payments.provider import PaymentOutcome, PaymentResult
from app.shop.payments.refundable import left_of
from app.shop.payments.refunds import request_refund, write_refund

log = logging.getLogger(__name__)

_STATES = {
    PaymentOutcome.PROCESSING: PaymentState.PROCESSING,
    PaymentOutcome.PAID: PaymentState.PAID,
    PaymentOutcome.FAILED: PaymentState.FAILED,
    PaymentOutcome.EXPIRED: PaymentState.EXPIRED,
}
_BEFORE = {
    PaymentOutcome.PROCESSING: (PaymentState.PENDING,),
    # The provider's last word counts, in whichever order its words arrive.
    PaymentOutcome.PAID: (*UNSETTLED, PaymentState.FAILED, PaymentState.EXPIRED),
    PaymentOutcome.FAILED: UNSETTLED,
    PaymentOutcome.EXPIRED: UNSETTLED,
}
"""From which states each outcome moves a payment."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a call of ``settle`` did. ``refund_ids`` are the refunds that the provider has to be
    asked for, once the transaction has committed.
    """

    is_new: bool
    refund_ids: tuple[str, ...] = ()


NOTHING_NEW = Settlement(is_new=False)


def settle(
    request: Request, session: Session, payment_id: str, result: PaymentResult, *, by: str
) -> Settlement:
    """Record the result of a payment (STANDARDS D3).

    Every way to learn of a result ends here, in any order and any number of times. The first call
    settles the payment; later calls change nothing. If payment, amount, currency and mode match,
    the order becomes paid, the receipt gets its number and its email is queued, all in the
    transaction of ``session``. If they do not match, the payment is held for a person to check. If
    the order is paid already, the money goes back.

    ``request`` may be one that nobody sent. ``by`` says who told us.
    """
    if result.outcome is PaymentOutcome.PENDING:
        return NOTHING_NEW
    payment = _write_outcome(request, session, payment_id, result)
    if payment is None:
        return NOTHING_NEW
    order = payment.order
    now = request.now
    detail = f"payment={payment.id} outcome={result.outcome}"
    record(session, "payment", by=by, now=now, order_id=order.id, detail=detail)
    if result.outcome is PaymentOutcome.PAID:
        return _take_money(request, session, order, payment, result)
    log.info("payment settled: payment=%s state=%s", payment_id, payment.state)
    if result.outcome is PaymentOutcome.PROCESSING and not order.is_paid:
        send_payment_pending(request, session, order, payment)
    if result.outcome is PaymentOutcome.FAILED and not order.is_paid:
        send_payment_failed(request, session, order, payment)
    return Settlement(is_new=True)


def _write_outcome(
    request: Request, session: Session, payment_id: str, result: PaymentResult
) -> Payment | None:
    """Move the payment to its new state. None when it is there already."""
    is_over = result.outcome is not PaymentOutcome.PROCESSING
    return session.scalars(
        update(Payment)
        .where(Payment.id == payment_id, Payment.state.in_(_BEFORE[result.outcome]))
        .values(
            state=_STATES[result.outcome],
            intent=result.intent,
            card_brand=result.card_brand,
            card_last4=result.card_last4,
            statement_name=result.statement_name,
            settled_at=request.now if is_over else None,
        )
        .returning(Payment)
        .execution_options(populate_existing=True)
    ).one_or_none()


def _take_money(
    request: Request, session: Session, order: Order, payment: Payment, result: PaymentResult
) -> Settlement:
    problem = _mismatch(payment, result)
    if problem is not None:
        payment.state = PaymentState.HELD
        payment.held_because = problem
        # From now on it is about the money that came, so that all of it can go back.
        payment.amount, payment.currency = result.amount, result.currency
        session.flush()
        log.error("payment held: payment=%s problem=%s", payment.id, problem)
        send_shop_notice(
            request,
            session,
            Notice.PAYMENT_HELD,
            payment.id,
            order=order,
            amount=result.amount,
            currency=result.currency,
            reason=problem,
            is_test=payment.is_test,
        )
        return Settlement(is_new=True)
    if pay_order(request, session, order, payment) is None:
        log.warning("order paid twice: order=%d payment=%s", order.id, payment.id)
        return Settlement(is_new=True, refund_ids=(_give_back(request, session, payment),))
    return Settlement(is_new=True, refund_ids=refund_withdrawn(request, session, order, payment))


def pay_order(
    request: Request, session: Session, order: Order, payment: Payment
) -> Document | None:
    """Make the order paid by ``payment``: it gets its receipt, and the email with it is queued.
    Returns the receipt, or None if the order was paid before.
    """
    if not _mark_paid(request, session, order):
        return None
    document = issue(
        session,
        DocumentKind.RECEIPT,
        order,
        payment,
        now=request.now,
        zone=request.registry.pillarbox.site.time_zone,
        languages=request.registry.languages,
    )
    send_purchase_receipt(request, session, order, payment, document)
    values = order.id, payment.id, document.full_number
    log.info("order paid: order=%d payment=%s receipt=%s", *values)
    return document


def refund_withdrawn(
    request: Request, session: Session, order: Order, payment: Payment
) -> tuple[str, ...]:
    """Write the refunds of what the buyer withdrew from before the money came. Returns their
    ids.
    """
    refunds = []
    for line in order.lines:
        if line.closed_at is None:
            continue
        amount = left_of(session, order, payment, line.position)
        if amount:
            refund = request_refund(
                request,
                session,
                order,
                payment,
                amount=amount,
                position=line.position,
                origin=RefundOrigin.WITHDRAWAL,
                by="settle",
            )
            refunds.append(refund.id)
    return tuple(refunds)


def _mismatch(payment: Payment, result: PaymentResult) -> str | None:
    """How the result differs from the payment, for staff to read; None if it matches."""
    if result.payment_id != payment.id:
        return f"it was paid for payment {result.payment_id or 'without a name'}"
    if (result.amount, result.currency) != (payment.amount, payment.currency):
        came = formats.money(result.amount, result.currency, SOURCE)
        return f"{came} came, {formats.money(payment.amount, payment.currency, SOURCE)} was asked"
    if result.livemode != payment.livemode:
        return "it is a test payment" if payment.livemode else "it is no test payment"
    return None


def _mark_paid(request: Request, session: Session, order: Order) -> bool:
    values = {Order.state: OrderState.PAID, Order.paid_at: request.now}
    if order.consent_at is not None or order.withdrawal_ends_at <= request.now:
        values[Order.opened_at] = request.now
    marked = session.scalars(
        update(Order)
        .where(Order.id == order.id, Order.state == OrderState.OPEN)
        .values(values)
        .returning(Order.id)
    ).one_or_none()
    return marked is not None


def _give_back(request: Request, session: Session, payment: Payment) -> str:
    """Write the refund of all that a second payment brought. Returns its id."""
    payment.refunded = payment.amount
    origin = RefundOrigin.PAID_TWICE
    return write_refund(request, session, payment, payment.amount, "settle", origin=origin).id
