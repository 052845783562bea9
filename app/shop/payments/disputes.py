"""Disputes: a customer's bank takes money back. The shop's own people answer at the provider."""

import logging

from pyramid.request import Request
from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.emails import Notice, send_shop_notice
from app.shop.events import record, take_provider_event
from app.shop.models import Order, Payment, ShopEvent
from app.shop.payments.provider import DisputeResult, PaymentProvider

log = logging.getLogger(__name__)

OPENED, CLOSED = "dispute opened", "dispute closed"
"""The kinds of the events of a dispute."""
_OVER = frozenset({"lost", "prevented", "warning_closed", "won"})
"""The states in which the bank has decided."""


def take_dispute(request: Request, dispute: DisputeResult, *, event: tuple[str, str]) -> None:
    """Record a dispute and its end, each once, and tell the shop's own people once. The customer
    gets no email. A dispute about a payment that is not ours changes nothing.

    ``dispute`` is what the provider says now, so the order of its events does not matter. ``event``
    is the id and type of the event that told us to look.
    """
    provider: PaymentProvider = request.registry.payment_provider
    with short_transaction(request.registry, write=True) as session:
        if not take_provider_event(session, *event, now=request.now):
            return
        # Of two transactions about the same dispute, the second waits here for the first.
        payment = session.scalars(
            select(Payment)
            .where(Payment.provider == provider.name, Payment.intent == dispute.intent)
            .with_for_update()
        ).one_or_none()
        if payment is None:
            log.info("dispute of a foreign payment: dispute=%s", dispute.reference)
            return
        kinds = [OPENED, CLOSED] if dispute.state in _OVER else [OPENED]
        known = _kinds_known(session, payment, dispute)
        for kind in kinds:
            if kind not in known:
                _record(request, session, kind, payment, dispute)
        if OPENED not in known:
            _tell(request, session, payment, dispute)


def _kinds_known(session: Session, payment: Payment, dispute: DisputeResult) -> set[str]:
    events = session.execute(
        select(ShopEvent.kind, ShopEvent.detail).where(
            ShopEvent.order_id == payment.order_id, ShopEvent.kind.in_((OPENED, CLOSED))
        )
    )
    return {kind for kind, detail in events if reference_in(detail) == dispute.reference}


def _record(
    request: Request, session: Session, kind: str, payment: Payment, dispute: DisputeResult
) -> None:
    due = f"{dispute.answer_by:%Y-%m-%dT%H:%MZ}" if dispute.answer_by else "none"
    detail = (
        f"dispute={dispute.reference} payment={payment.id} amount={dispute.amount}"
        f" {dispute.currency} state={dispute.state} reason={dispute.reason} answer_by={due}"
    )
    record(session, kind, by="webhook", now=request.now, order_id=payment.order_id, detail=detail)
    values = kind, dispute.reference, payment.id, dispute.state
    log.warning("%s: dispute=%s payment=%s state=%s", *values)


def _tell(request: Request, session: Session, payment: Payment, dispute: DisputeResult) -> None:
    send_shop_notice(
        request,
        session,
        Notice.DISPUTE_OPENED,
        dispute.reference,
        order=payment.order,
        amount=dispute.amount,
        currency=dispute.currency,
        reason=dispute.reason,
        respond_by=dispute.answer_by,
        is_test=payment.is_test,
    )


def is_disputed(session: Session, order: Order) -> bool:
    """Whether the customer's bank has ever wanted money for the order back."""
    opened = exists().where(ShopEvent.order_id == order.id, ShopEvent.kind == OPENED)
    return bool(session.scalar(select(opened)))


def reference_in(detail: str) -> str:
    """The provider's name of the dispute in the ``detail`` of its event."""
    return detail.partition(" ")[0].removeprefix("dispute=")


def open_disputes(session: Session) -> list[ShopEvent]:
    """The events of the disputes that have not ended, the oldest first."""
    events = session.scalars(
        select(ShopEvent).where(ShopEvent.kind.in_((OPENED, CLOSED))).order_by(ShopEvent.id)
    ).all()
    ended = {reference_in(event.detail) for event in events if event.kind == CLOSED}
    return [
        event
        for event in events
        if event.kind == OPENED and reference_in(event.detail) not in ended
    ]
