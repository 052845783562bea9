"""Refunds: reserve the amount, ask the provider, and settle what it answers.

The refund is committed before the provider is asked, and its id is the idempotency key there. So
however often somebody asks after a crash, the money goes back once.
"""

import logging
import secrets

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.events import record
from app.shop.models import (
    Order,
    Payment,
    PaymentState,
    Refund,
    RefundOrigin,
    RefundState,
)
from app.shop.models.payments import NOTHING_TO_PAY
from app.shop.payments.provider import (
    PaymentProvider,
    ProviderError,
    ProviderRefuses,
    RefundAsked,
)
from app.shop.payments.refundable import (
    CannotRefund,
    MoreThanLeft,
    free,
    left_of,
    left_of_line,
    line_of,
    reserve,
    taken_elsewhere,
)
from app.shop.payments.settle_refund import refuse_refund, settle_refund

log = logging.getLogger(__name__)


def request_refund(
    request: Request,
    session: Session,
    order: Order,
    payment: Payment,
    *,
    amount: int,
    position: int | None = None,
    reason: str = "",
    origin: RefundOrigin,
    by: str,
    withdrawal_id: int | None = None,
) -> Refund:
    """Write a refund of ``amount`` minor units and reserve them, in the caller's writing
    transaction. After the commit, call ``ask_for_refund``.

    ``position`` is the order's line that the refund is for; None when it is for no particular one.
    ``reason`` is in the shop's words, for the customer to read. ``by`` says who asked for it.

    Raises ``MoreThanLeft`` when less than ``amount`` is left of the payment or of the line, and
    ``CannotRefund`` when nothing of it can be refunded. Then nothing was written.
    """
    _check(request, payment)
    if payment.state != PaymentState.PAID:
        raise CannotRefund("The payment is not paid, so there is nothing to refund.")
    if amount <= 0:
        raise CannotRefund("The amount to refund must be more than 0.")
    line = None if position is None else line_of(order, position)
    if not reserve(session, payment, amount):
        session.refresh(payment)
        raise MoreThanLeft(left_of(session, order, payment, position), payment.currency)
    # The payment's row is locked now, so no other refund takes from this line before the commit.
    if line is not None and amount > left_of_line(session, payment, line):
        free(session, payment.id, amount)
        session.refresh(payment)
        raise MoreThanLeft(left_of(session, order, payment, position), payment.currency)
    return write_refund(
        request,
        session,
        payment,
        amount,
        by,
        position=position,
        reason=reason,
        origin=origin,
        withdrawal_id=withdrawal_id,
    )


def refund_held(request: Request, session: Session, payment: Payment, *, by: str) -> Refund:
    """Write a refund of all that is left of a held payment, in the caller's writing transaction.
    After the commit, call ``ask_for_refund``. Raises ``CannotRefund``.
    """
    _check(request, payment)
    left = payment.amount - payment.refunded
    if left == 0 or not reserve(session, payment, left, (PaymentState.HELD,)):
        raise CannotRefund("The payment is not held, or it is refunded already.")
    return write_refund(request, session, payment, left, by, origin=RefundOrigin.SHOP)


def _check(request: Request, payment: Payment) -> None:
    """Raise ``CannotRefund`` unless the shop's provider is the one that took the money."""
    provider: PaymentProvider = request.registry.payment_provider
    if payment.provider == NOTHING_TO_PAY:
        raise CannotRefund("The order cost nothing, so there is nothing to refund.")
    if problem := taken_elsewhere(payment, provider):
        raise CannotRefund(f"{problem} Set payments.* back for this refund.")
    if payment.intent is None:
        raise CannotRefund(
            "The provider's name of the payment is not known. Refund it on the provider's own"
            " pages."
        )


def write_refund(
    request: Request,
    session: Session,
    payment: Payment,
    amount: int,
    by: str,
    *,
    origin: RefundOrigin,
    position: int | None = None,
    reason: str = "",
    withdrawal_id: int | None = None,
) -> Refund:
    """Write a refund whose amount the caller has reserved, in minor units of the payment."""
    refund = Refund(
        id=secrets.token_hex(16),
        order_id=payment.order_id,
        payment_id=payment.id,
        position=position,
        withdrawal_id=withdrawal_id,
        amount=amount,
        currency=payment.currency,
        reason=reason,
        origin=origin,
        state=RefundState.REQUESTED,
        requested_by=by,
        created_at=request.now,
    )
    session.add(refund)
    session.flush()
    record_request(request, session, refund, by)
    return refund


def record_request(request: Request, session: Session, refund: Refund, by: str) -> None:
    """Record that a refund was written."""
    detail = f"refund={refund.id} amount={refund.amount} {refund.currency} state=requested"
    record(session, "refund", by=by, now=request.now, order_id=refund.order_id, detail=detail)


def ask_for_refund(request: Request, refund_id: str) -> ProviderError | None:
    """Ask the provider for a refund that is committed, and settle its answer.

    Without an answer the refund stays ``requested``, and the reconciler asks again. Then the
    returned error says what the matter was.

    Call it outside of any transaction, because it asks the provider over the network.
    """
    provider: PaymentProvider = request.registry.payment_provider
    with short_transaction(request.registry, write=False) as session:
        refund = session.get_one(Refund, refund_id)
        payment = refund.payment
    if (
        taken_elsewhere(payment, provider)
        or refund.state != RefundState.REQUESTED
        or payment.intent is None
    ):
        return None
    asked = RefundAsked(refund.id, payment.intent, refund.amount, refund.currency)
    try:
        result = provider.refund(asked)
    except ProviderRefuses as problem:
        with short_transaction(request.registry, write=True) as session:
            refuse_refund(request, session, session.get_one(Refund, refund_id), str(problem))
        return None
    except ProviderError as problem:
        log.warning("refund not asked for: refund=%s problem=%s", refund_id, problem)
        return problem
    with short_transaction(request.registry, write=True) as session:
        refund = session.get_one(Refund, refund_id)
        settle_refund(request, session, refund, result, by=request.id)
    return None


def refunds_of(session: Session, order: Order) -> list[Refund]:
    """The order's refunds, the first one first. The last two states give nothing back."""
    return list(
        session.scalars(
            select(Refund).where(Refund.order_id == order.id).order_by(Refund.created_at, Refund.id)
        )
    )
