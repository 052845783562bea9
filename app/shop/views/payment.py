"""Sending the customer to the payment provider, and asking the provider for the result."""

import logging
from functools import partial

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from sqlalchemy import select, update

from app.database import short_transaction
from app.shop.emails import send_purchase_receipt
from app.shop.models import Order, Payment, PaymentState
from app.shop.payments.provider import Charge, PaymentOutcome, PaymentProvider, ProviderError
from app.shop.payments.settle import settle
from app.web.translation import _

log = logging.getLogger(__name__)


def redirect_to_provider(request: Request, order: Order, payment: Payment) -> HTTPSeeOther:
    """Redirect to the provider's page for ``payment``, or to the order if nothing is to be paid.

    Call it outside of any transaction, because it asks the provider over the network.
    """
    order_page = HTTPSeeOther(request.route_path("order", number=order.number))
    if order.is_paid or payment.state != PaymentState.PENDING:
        return order_page
    provider: PaymentProvider = request.registry.payment_provider
    charge = Charge(payment.id, order.number, payment.amount, payment.currency)
    try:
        started = provider.start(request, charge)
    except ProviderError as error:
        log.warning("payment not started: payment=%s problem=%s", payment.id, error)
        message = _(
            "The payment could not be started, and you have not been charged. Try again in a"
            " minute."
        )
        request.visitor.tell(request.localizer.translate(message))
        return order_page
    with short_transaction(request.registry, write=True) as session:
        session.execute(
            update(Payment).where(Payment.id == payment.id).values(reference=started.reference)
        )
    return HTTPSeeOther(started.url)


def settle_pending(request: Request, number: str) -> None:
    """Ask the provider about the pending payment of the customer's order, and settle it.

    Call it outside of any transaction, because it asks the provider over the network.
    """
    provider: PaymentProvider | None = request.registry.payment_provider
    if provider is None:
        return
    with short_transaction(request.registry, write=False) as session:
        payment = session.scalars(
            select(Payment)
            .join(Order)
            .where(
                Order.number == number,
                Order.account_id == request.account.id,
                Payment.state == PaymentState.PENDING,
                Payment.provider == provider.name,
                Payment.reference.is_not(None),
            )
            .order_by(Payment.attempt.desc())
            .limit(1)
        ).one_or_none()
    if payment is None or payment.reference is None:
        return
    try:
        result = provider.fetch(payment.reference)
    except ProviderError as error:
        log.warning("payment not looked up: payment=%s problem=%s", payment.id, error)
        return
    if result.outcome is PaymentOutcome.PENDING:
        return
    with short_transaction(request.registry, write=True) as session:
        send_receipt = partial(send_purchase_receipt, request, session)
        settle(
            session,
            payment.id,
            result,
            now=request.now,
            zone=request.registry.pillarbox.site.time_zone,
            send_receipt=send_receipt,
        )
