"""What became of the email with an order's receipt, and sending it again."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail.outbox import decisions
from app.mail.outbox.decisions import Refused
from app.mail.outbox.tables import OutboxEmail, State
from app.shop.emails import PURCHASE_RECEIPT, receipt_key, send_purchase_receipt
from app.shop.models import Order, Payment, Receipt, ReceiptRequest

MOST_REQUESTS = 3
REQUEST_PERIOD = timedelta(days=1)
"""How often a customer may ask for a receipt again."""


class ReceiptState(StrEnum):
    """What a customer is told about the email with the receipt."""

    UNDER_WAY = "under way"
    SENT = "sent"
    CAPTURED = "captured"
    IN_DOUBT = "in doubt"
    UNCOMPOSED = "uncomposed"
    """Its template is broken. It is sent once somebody has corrected the template."""
    NOT_SENT = "not sent"


_STATES = {
    State.QUEUED: ReceiptState.UNDER_WAY,
    State.SENDING: ReceiptState.UNDER_WAY,
    State.SENT: ReceiptState.SENT,
    State.CAPTURED: ReceiptState.CAPTURED,
    State.UNKNOWN: ReceiptState.IN_DOUBT,
}


def receipt_state(session: Session, order: Order) -> ReceiptState:
    """The state of the order's newest receipt email."""
    email = _newest_email(session, order)
    if email is None:
        return ReceiptState.NOT_SENT
    if email.made_from is not None:
        return ReceiptState.UNCOMPOSED
    return _STATES.get(State(email.state), ReceiptState.NOT_SENT)


class Again(StrEnum):
    """What came of a request to send a receipt again."""

    QUEUED = "queued"
    UNDER_WAY = "under way"
    UNCOMPOSED = "uncomposed"
    TOO_OFTEN = "too often"


def send_again(
    request: Request, session: Session, order: Order, payment: Payment, receipt: Receipt
) -> Again:
    """Send the receipt of a paid order again, if the customer has not asked too often.

    An email that could not be composed is composed again. Otherwise a new email is written.
    """
    # Requests for the same order wait for each other here on PostgreSQL. SQLite has one writer.
    session.execute(select(Order.id).where(Order.id == order.id).with_for_update())
    email = _newest_email(session, order)
    if email is not None and _STATES.get(State(email.state)) is ReceiptState.UNDER_WAY:
        return Again.UNDER_WAY
    if len(_recent_requests(session, order, request.now)) >= MOST_REQUESTS:
        return Again.TOO_OFTEN
    session.add(ReceiptRequest(order_id=order.id, created_at=request.now))
    if email is not None and email.made_from is not None:
        composer = request.registry.email_composer
        try:
            decisions.resend(session, email, PURCHASE_RECEIPT, request.now, composer)
        except Refused:
            return Again.UNCOMPOSED
        request.registry.email_wakeup.after_commit(session)
        return Again.QUEUED
    key = decisions.next_key(session, receipt_key(order))
    send_purchase_receipt(request, session, order, payment, receipt, key=key)
    return Again.QUEUED


def may_ask_again_in(session: Session, order: Order, now: datetime) -> timedelta | None:
    """How long the customer has to wait before asking for the receipt again; None for no wait."""
    recent = _recent_requests(session, order, now)
    if len(recent) < MOST_REQUESTS:
        return None
    return recent[-MOST_REQUESTS] + REQUEST_PERIOD - now


def _newest_email(session: Session, order: Order) -> OutboxEmail | None:
    return session.scalars(
        select(OutboxEmail)
        .where(OutboxEmail.about == f"order:{order.id}", OutboxEmail.kind == PURCHASE_RECEIPT.name)
        .order_by(OutboxEmail.id.desc())
        .limit(1)
    ).one_or_none()


def _recent_requests(session: Session, order: Order, now: datetime) -> Sequence[datetime]:
    """When the customer asked within ``REQUEST_PERIOD``, the oldest first."""
    return session.scalars(
        select(ReceiptRequest.created_at)
        .where(
            ReceiptRequest.order_id == order.id,
            ReceiptRequest.created_at > now - REQUEST_PERIOD,
            # A clock that was ahead must not hold requests back.
            ReceiptRequest.created_at <= now,
        )
        .order_by(ReceiptRequest.id)
    ).all()
