"""Held payments: money that came in and does not match its order. A person decides about it.

Call everything here outside of any transaction, because the provider is asked over the network.
"""

from dataclasses import dataclass

from pyramid.request import Request
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.events import record
from app.shop.models import Payment, PaymentState
from app.shop.payments.provider import PaymentOutcome, PaymentProvider, PaymentResult
from app.shop.payments.refundable import CannotRefund
from app.shop.payments.refunds import ask_for_refund, refund_held
from app.shop.payments.settle import pay_order, refund_withdrawn


class CannotRelease(Exception):
    """The decision cannot be carried out, and nothing was changed. The text says why, and what can
    be done instead.
    """


@dataclass(frozen=True, slots=True)
class Released:
    """A held payment that became the payment of its order. ``came`` and ``total`` are in minor
    units of ``currency``, and differ if another amount came than the order's.
    """

    order_number: str
    receipt_number: str
    came: int
    total: int
    currency: str


def held_payment(request: Request, payment_id: str) -> Payment:
    """The held payment with its order. Raises ``CannotRelease`` if it is none."""
    with short_transaction(request.registry, write=False) as session:
        return _held(session, payment_id)


def accept(request: Request, payment_id: str, *, by: str) -> Released:
    """Take a held payment as the payment of its order, which gets its receipt over the order's own
    total. Only the amount may differ. ``by`` says who decided.

    Raises ``CannotRelease``, and ``ProviderError`` when the provider cannot be asked.
    """
    result = _ask(request, payment_id)
    with short_transaction(request.registry, write=True) as session:
        payment = _held(session, payment_id)
        _require_match(payment, result)
        _claim(session, payment, result)
        order = payment.order
        document = pay_order(request, session, order, payment)
        if document is None:
            raise CannotRelease(
                f"Order {order.number} is paid already by another payment. Give this one back with"
                " --refund."
            )
        detail = f"payment={payment.id} amount={result.amount} {result.currency}"
        record(
            session, "payment accepted", by=by, now=request.now, order_id=order.id, detail=detail
        )
        refund_ids = refund_withdrawn(request, session, order, payment)
        released = Released(
            order.number, document.full_number, result.amount, order.total, order.currency
        )
    for refund_id in refund_ids:
        ask_for_refund(request, refund_id)
    return released


def give_back(request: Request, payment_id: str, *, by: str) -> str:
    """Refund all that came in with a held payment. Returns the id of the refund, whose state then
    says what the provider answered. ``by`` says who decided.

    Raises ``CannotRelease``, and ``ProviderError`` when the provider cannot be asked about the
    payment.
    """
    result = _ask(request, payment_id)
    if result.outcome is not PaymentOutcome.PAID:
        raise CannotRelease(f"The provider says that the payment is {result.outcome}, not paid.")
    with short_transaction(request.registry, write=True) as session:
        try:
            refund = refund_held(request, session, _held(session, payment_id), by=by)
        except CannotRefund as problem:
            raise CannotRelease(str(problem)) from None
    ask_for_refund(request, refund.id)
    return refund.id


def _held(session: Session, payment_id: str) -> Payment:
    payment = session.get(Payment, payment_id)
    if payment is None:
        raise CannotRelease(f"There is no payment {payment_id}. The command list shows their ids.")
    number = payment.order.number
    if payment.state != PaymentState.HELD:
        raise CannotRelease(
            f"Payment {payment_id} of order {number} is {payment.state}, not held. Only a held"
            " payment needs a decision."
        )
    if payment.is_given_back:
        raise CannotRelease(f"Payment {payment_id} of order {number} goes back already.")
    return payment


def _ask(request: Request, payment_id: str) -> PaymentResult:
    """What the provider says about the payment now."""
    payment = held_payment(request, payment_id)
    provider: PaymentProvider = request.registry.payment_provider
    if provider.name != payment.provider or payment.session is None:
        raise CannotRelease(
            f"The payment was made with the provider {payment.provider}, and the shop's provider is"
            f" {provider.name} now. Set payments.* back for this decision."
        )
    return provider.fetch(payment.session)


def _require_match(payment: Payment, result: PaymentResult) -> None:
    """Raise ``CannotRelease`` unless this money can pay the order."""
    order = payment.order
    problem = None
    if result.outcome is not PaymentOutcome.PAID:
        problem = f"The provider says that it is {result.outcome}, not paid."
    elif result.payment_id != payment.id:
        problem = f"It was paid for another payment ({result.payment_id or 'without a name'})."
    elif result.livemode != payment.livemode:
        problem = "It is a test payment." if payment.livemode else "It is no test payment."
    elif payment.refunded:
        problem = "A part of it has been refunded at the provider."
    elif result.currency != order.currency:
        problem = f"It was paid in {result.currency}, and the order is in {order.currency}."
    if problem is not None:
        raise CannotRelease(
            f"The payment cannot pay order {order.number}. {problem} Give it back with --refund."
        )


def _claim(session: Session, payment: Payment, result: PaymentResult) -> None:
    """Make the payment paid, unless another command has decided meanwhile. Its amount becomes the
    one that came, because no more than that can be refunded.
    """
    claimed = session.scalars(
        update(Payment)
        .where(Payment.id == payment.id, Payment.state == PaymentState.HELD, Payment.refunded == 0)
        .values(state=PaymentState.PAID, amount=result.amount)
        .returning(Payment)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if claimed is None:
        raise CannotRelease("Somebody else has just decided about this payment.")
