"""Refunds that the provider tells of by itself: ours, and those made on the provider's own pages.

Stripe tells by its events; the reconciler asks for all of the last days.
"""

import logging
import secrets

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.database.base import insert_for
from app.shop.events import take_provider_event
from app.shop.models import Payment, PaymentState, Refund, RefundOrigin, RefundState
from app.shop.payments.provider import PaymentProvider, RefundResult
from app.shop.payments.refundable import MoreThanLeft, reserve
from app.shop.payments.refunds import record_request
from app.shop.payments.settle_refund import settle_refund

log = logging.getLogger(__name__)


def take_provider_refund(
    request: Request, result: RefundResult, *, by: str, event: tuple[str, str] | None = None
) -> None:
    """Settle a refund of ours, or record one that was made on the provider's own pages, with its
    document and email. A refund of a payment that is not ours changes nothing.

    ``event`` is the id and type of the provider's event that told us to look.
    """
    try:
        with short_transaction(request.registry, write=True) as session:
            if event is not None and not take_provider_event(session, *event, now=request.now):
                return
            refund = _find(session, result) or _take_foreign(request, session, result, by)
            if refund is not None:
                settle_refund(request, session, refund, result, by=by)
    except MoreThanLeft as problem:
        # A refund of ours holds the amount, and the provider does not know it yet. The provider
        # will refuse that one. The next event, or the daily comparison, takes this one then.
        values = result.reference, problem
        log.warning("refund cannot be taken yet: reference=%s problem=%s", *values)


def _find(session: Session, result: RefundResult) -> Refund | None:
    """Our row of the refund, if there is one."""
    known = select(Refund).where(Refund.reference == result.reference)
    found = session.scalars(known).one_or_none()
    if found is not None or result.refund_id is None:
        return found
    # One of ours whose answer did not reach us. If ours has another name there, this is a second
    # one, which was made by hand.
    asked = session.get(Refund, result.refund_id)
    is_it = (
        asked is not None
        and asked.state == RefundState.REQUESTED
        and asked.payment.intent == result.intent
    )
    return asked if is_it else None


def _take_foreign(
    request: Request, session: Session, result: RefundResult, by: str
) -> Refund | None:
    """Write the row of a refund that was made on the provider's own pages. None when it is of no
    payment of ours, or has failed before we heard of it. Raises ``MoreThanLeft``.
    """
    provider: PaymentProvider = request.registry.payment_provider
    payment = session.scalars(
        select(Payment).where(Payment.provider == provider.name, Payment.intent == result.intent)
    ).one_or_none()
    if payment is None:
        log.info("refund of a foreign payment: reference=%s", result.reference)
        return None
    if result.state in (RefundState.FAILED, RefundState.CANCELED):
        return None
    # Of two transactions that take the same refund, the second waits here for the first.
    written: Refund | None = session.scalars(
        insert_for(session, Refund)
        .values(
            id=secrets.token_hex(16),
            order_id=payment.order_id,
            payment_id=payment.id,
            amount=result.amount,
            currency=result.currency,
            reason="",
            origin=RefundOrigin.DASHBOARD,
            state=RefundState.REQUESTED,
            reference=result.reference,
            requested_by=by,
            created_at=request.now,
        )
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(Refund)
    ).one_or_none()
    if written is None:
        return _find(session, result)
    if not reserve(session, payment, result.amount, (PaymentState.PAID, PaymentState.HELD)):
        session.refresh(payment)
        raise MoreThanLeft(payment.amount - payment.refunded, payment.currency)
    record_request(request, session, written, by)
    return written
