"""Sending the customer to the payment provider, and asking the provider for the result."""

import logging

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request

from app.database import short_transaction
from app.shop.models import Order, Payment, PaymentState
from app.shop.models.payments import NOTHING_TO_PAY, UNSETTLED
from app.shop.order_status import is_withdrawn
from app.shop.payments.asking import (
    check_payment,
    claim_check,
    end_unknown,
    end_unstarted,
    latest_payment,
    start_payment,
)
from app.shop.payments.current_payment import current_payment
from app.shop.payments.provider import (
    PaymentOutcome,
    PaymentProvider,
    PaymentResult,
    ProviderError,
    ProviderRefuses,
)
from app.shop.payments.settle import settle
from app.shop.payments.waiting import place_to_wait
from app.web.headers import content_security_policy
from app.web.translation import _, tell

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 3
"""How often one request looks for a payment that can be paid."""


def allow_payment_page(request: Request) -> None:
    """Let the forms of the page that is shown redirect to the provider's page."""
    provider: PaymentProvider = request.registry.payment_provider
    if provider.page_origin is not None:
        policy = content_security_policy(provider.page_origin)
        request.response.headers["Content-Security-Policy"] = policy


def redirect_to_payment(request: Request, order_id: int) -> HTTPSeeOther:
    """Redirect to the provider's page for the order, or to the order's own page if there is nothing
    to pay.

    Call it outside of any transaction, because it asks the provider over the network.
    """
    provider: PaymentProvider = request.registry.payment_provider
    for _attempt in range(MOST_ATTEMPTS):
        with short_transaction(request.registry, write=True) as session:
            order = session.get_one(Order, order_id)
            order_page = HTTPSeeOther(request.route_path("order", number=order.number))
            if order.is_paid or is_withdrawn(order):
                return order_page
            payment = current_payment(session, order, provider, request.now)
            if payment.provider == NOTHING_TO_PAY and payment.state == PaymentState.PENDING:
                settle(request, session, payment.id, _nothing_paid(payment), by=request.id)
                return order_page
        if payment.state != PaymentState.PENDING:
            return order_page
        try:
            with place_to_wait(request.registry):
                url = _payment_page(request, payment)
        except ProviderError as error:
            log.warning("payment not started: payment=%s problem=%s", payment.id, error)
            message = _(
                "The payment could not be started, and you have not been charged. Try again in a"
                " minute."
            )
            tell(request, message)
            return order_page
        if url is not None:
            return HTTPSeeOther(url)
    return order_page


def _payment_page(request: Request, payment: Payment) -> str | None:
    """The provider's page where ``payment`` can be paid; None if it is over by now.

    A payment that has a session is looked up, because starting it again would bring the first
    answer again, whose page may be closed by now.
    """
    if payment.session is None:
        try:
            started = start_payment(request, payment)
        except ProviderRefuses:
            # The provider makes no session that would close soon. Nobody has a page of this payment
            # then, so the next one can begin.
            if end_unstarted(request, payment):
                return None
            raise
        # An earlier request may have started it already, without living to see the answer.
        if payment.created_at == request.now:
            return started.url
        payment.session = started.session
    try:
        return check_payment(request, payment, by=request.id).url
    except ProviderRefuses:
        if end_unknown(request, payment):
            return None
        raise


def _nothing_paid(payment: Payment) -> PaymentResult:
    return PaymentResult(
        PaymentOutcome.PAID, payment.id, payment.amount, payment.currency, payment.livemode
    )


def settle_pending(request: Request, number: str) -> None:
    """Ask the provider about the customer's own order, unless somebody asked just now, and settle
    the answer (STANDARDS D3).

    Call it outside of any transaction, because it asks the provider over the network.
    """
    provider: PaymentProvider = request.registry.payment_provider
    payment = latest_payment(request, number, request.account.id)
    if (
        payment is None
        or payment.state not in UNSETTLED
        or payment.provider != provider.name
        or payment.session is None
        or not claim_check(request, payment.id)
    ):
        return
    try:
        with place_to_wait(request.registry):
            check_payment(request, payment, by=request.id)
    except ProviderError as error:
        log.warning("payment not looked up: payment=%s problem=%s", payment.id, error)
