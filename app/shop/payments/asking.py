"""Asking the provider about a payment or refund, and settling what it answers.

Call everything here outside of any transaction, because the provider is asked over the network.
"""

import logging
from datetime import timedelta

from pyramid.request import Request
from sqlalchemy import or_, select, update

from app.database import short_transaction
from app.shop.events import take_provider_event
from app.shop.models import Order, Payment, PaymentState
from app.shop.order_status import is_withdrawn
from app.shop.payments.current_payment import expire_unstarted
from app.shop.payments.provider import (
    Charge,
    ChargedLine,
    PaymentProvider,
    PaymentResult,
    StartedPayment,
)
from app.shop.payments.refunds import ask_for_refund
from app.shop.payments.settle import settle

log = logging.getLogger(__name__)

ASK_AGAIN = timedelta(seconds=10)
"""How long the pages of an order wait before they ask about the same payment again."""

SHORTEST_SESSION = timedelta(minutes=35)
"""Stripe makes no session that closes within 30 minutes. The rest is for clocks that differ."""


def start_payment(request: Request, payment: Payment) -> StartedPayment:
    """Start the payment at the provider, and store its session. Raises ``ProviderError``."""
    provider: PaymentProvider = request.registry.payment_provider
    with short_transaction(request.registry, write=False) as session:
        charge = _charge(request, session.get_one(Payment, payment.id))
    started = provider.start(charge)
    with short_transaction(request.registry, write=True) as session:
        session.execute(
            update(Payment)
            .where(Payment.id == payment.id, Payment.session.is_(None))
            .values(session=started.session)
        )
    return started


def end_unstarted(request: Request, payment: Payment) -> bool:
    """End a payment that is too old for the provider to make a session for it. Returns whether it
    is.
    """
    with short_transaction(request.registry, write=True) as session:
        current = session.get_one(Payment, payment.id)
        return expire_unstarted(session, current, request.now, SHORTEST_SESSION)


def end_unknown(request: Request, payment: Payment) -> bool:
    """End a pending payment whose session the provider does not know, such as one of another
    account, once nobody could pay it any more. Returns whether it is over.
    """
    with short_transaction(request.registry, write=True) as session:
        ended = session.scalars(
            update(Payment)
            .where(
                Payment.id == payment.id,
                Payment.state == PaymentState.PENDING,
                Payment.expires_at <= request.now,
            )
            .values(state=PaymentState.EXPIRED, settled_at=request.now)
            .returning(Payment.id)
        ).one_or_none()
    return ended is not None


def _charge(request: Request, payment: Payment) -> Charge:
    order = payment.order
    page = request.link("order", number=order.number)
    return Charge(
        payment_id=payment.id,
        order_number=order.number,
        amount=payment.amount,
        currency=payment.currency,
        lines=tuple(ChargedLine(line.name, line.quantity, line.unit_price) for line in order.lines),
        email=order.buyer_email,
        locale=order.locale,
        expires_at=payment.expires_at,
        success_url=f"{page}?returned=1",
        cancel_url=page,
    )


def check_payment(
    request: Request, payment: Payment, *, by: str, event: tuple[str, str] | None = None
) -> PaymentResult:
    """Ask the provider about the payment, and settle it. Raises ``ProviderError``.

    ``event`` is the id and type of the provider's event that told us to look.
    """
    provider: PaymentProvider = request.registry.payment_provider
    if payment.session is None:
        raise ValueError(f"payment {payment.id} has no session to ask about")
    result = provider.fetch(payment.session)
    settle_result(request, payment.id, result, by=by, event=event)
    return result


def settle_result(
    request: Request,
    payment_id: str,
    result: PaymentResult,
    *,
    by: str,
    event: tuple[str, str] | None = None,
) -> None:
    """Settle the payment in a transaction of its own, and ask for the refund if that needs one."""
    with short_transaction(request.registry, write=True) as session:
        if event is not None and not take_provider_event(session, *event, now=request.now):
            return
        settlement = settle(request, session, payment_id, result, by=by)
    for refund_id in settlement.refund_ids:
        ask_for_refund(request, refund_id)


def close_payment_page(request: Request, order_id: int, *, by: str) -> None:
    """Close the provider's page where an order that is withdrawn could still be paid. A payment
    that was made there meanwhile is settled. Raises ``ProviderError``.
    """
    provider: PaymentProvider = request.registry.payment_provider
    with short_transaction(request.registry, write=False) as session:
        order = session.get_one(Order, order_id)
        if order.is_paid or not is_withdrawn(order):
            return
        open_payments = [
            (payment.id, payment.session)
            for payment in order.payments
            if payment.state == PaymentState.PENDING
            and payment.session is not None
            and (payment.provider, payment.is_test) == (provider.name, provider.is_test)
        ]
    for payment_id, page in open_payments:
        settle_result(request, payment_id, provider.close(page), by=by)


def claim_check(request: Request, payment_id: str, after: timedelta = ASK_AGAIN) -> bool:
    """Whether the caller may ask about the payment now. Each call of any process within ``after``
    of one that may is told no.
    """
    with short_transaction(request.registry, write=True) as session:
        claimed = session.scalars(
            update(Payment)
            .where(
                Payment.id == payment_id,
                or_(Payment.checked_at.is_(None), Payment.checked_at <= request.now - after),
            )
            .values(checked_at=request.now)
            .returning(Payment.id)
        ).one_or_none()
    return claimed is not None


def latest_payment(request: Request, number: str, account_id: int) -> Payment | None:
    """The latest payment of the customer's own order."""
    with short_transaction(request.registry, write=False) as session:
        return session.scalars(
            select(Payment)
            .join(Order)
            .where(Order.number == number, Order.account_id == account_id)
            .order_by(Payment.attempt.desc())
            .limit(1)
        ).one_or_none()
