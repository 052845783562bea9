"""Refunds that wait for a provider which the settings no longer name, or for its other mode: the
shop's own people are told, because nobody can ask that provider.
"""

from datetime import timedelta

from pyramid.request import Request
from sqlalchemy import exists, or_, select

from app.database import short_transaction
from app.mail.outbox.tables import OutboxEmail
from app.shop.emails import Notice, send_shop_notice
from app.shop.models import Payment, Refund
from app.shop.models.refunds import OPEN
from app.shop.payments.provider import PaymentProvider
from app.shop.payments.refundable import taken_elsewhere

PATIENCE = timedelta(hours=1)
"""Other processes may still run with the earlier settings, and finish a younger refund."""
BATCH = 100


def tell_of_stranded_refunds(request: Request) -> int:
    """Queue a notice, once, for each refund that no process with these settings can finish. Returns
    how many.
    """
    provider: PaymentProvider = request.registry.payment_provider
    is_told = exists().where(OutboxEmail.key == f"shop_notice:{Notice.REFUND_WAITS}:" + Refund.id)
    stranded = (
        select(Refund.id)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.state.in_(OPEN),
            or_(Payment.provider != provider.name, Payment.livemode.is_(provider.is_test)),
            Refund.created_at <= request.now - PATIENCE,
            ~is_told,
        )
        .order_by(Refund.created_at)
        .limit(BATCH)
    )
    # Composing takes longer than reading, so it does not hold the write lock of a whole batch.
    with short_transaction(request.registry, write=False) as session:
        found = session.scalars(stranded).all()
    for refund_id in found:
        with short_transaction(request.registry, write=True) as session:
            refund = session.get_one(Refund, refund_id)
            send_shop_notice(
                request,
                session,
                Notice.REFUND_WAITS,
                refund.id,
                order=refund.order,
                amount=refund.amount,
                currency=refund.currency,
                reason=taken_elsewhere(refund.payment, provider),
                is_test=refund.payment.is_test,
            )
    return len(found)
