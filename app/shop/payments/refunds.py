"""Refunds: reserve the amount, ask the provider, and settle what it answers."""

import logging

from pyramid.request import Request

from app.database import short_transaction
from app.shop.models import Payment, Refund, RefundState
from app.shop.payments.provider import PaymentProvider, ProviderError, RefundAsked

log = logging.getLogger(__name__)


def ask_for_refund(request: Request, refund_id: str) -> None:
    """Ask the provider for a refund that is committed. Without an answer the refund stays
    ``requested``, and the reconciler asks again.
    """
    provider: PaymentProvider = request.registry.payment_provider
    with short_transaction(request.registry, write=False) as session:
        refund = session.get_one(Refund, refund_id)
        payment = session.get_one(Payment, refund.payment_id)
    if refund.state != RefundState.REQUESTED or payment.intent is None:
        return
    asked = RefundAsked(refund.id, payment.intent, refund.amount, refund.currency)
    try:
        provider.refund(asked)
    except ProviderError as error:
        log.warning("refund not asked for: refund=%s problem=%s", refund_id, error)
