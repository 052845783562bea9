"""What became of the email with an order's receipt, and sending it again."""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail.outbox import decisions
from app.mail.outbox.decisions import Refused
from app.mail.outbox.tables import OutboxEmail, State
from app.shop.emails import PURCHASE_RECEIPT, receipt_key, send_purchase_receipt
from app.shop.models import Order
from app.web.limits import Limit

AGAIN = Limit("receipt", 3, timedelta(days=1))
"""How often a customer may ask for the receipt of an order again."""


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


class ReceiptEmail(NamedTuple):
    """The newest email with an order's receipt: its state, and the address that it goes to."""

    state: ReceiptState
    address: str


def receipt_email(session: Session, order: Order) -> ReceiptEmail:
    """The order's newest receipt email."""
    email = _newest_email(session, order)
    if email is None:
        return ReceiptEmail(ReceiptState.NOT_SENT, order.buyer_email)
    if email.made_from is not None:
        return ReceiptEmail(ReceiptState.UNCOMPOSED, email.recipient)
    state = _STATES.get(State(email.state), ReceiptState.NOT_SENT)
    return ReceiptEmail(state, email.recipient)


class Again(StrEnum):
    """What came of a request to send a receipt again."""

    QUEUED = "queued"
    UNDER_WAY = "under way"
    UNCOMPOSED = "uncomposed"


def send_again(request: Request, session: Session, order: Order) -> Again:
    """Send the receipt of a paid order again to its customer, who is signed in, unless it is on its
    way. It goes to the customer's present address: emails to the one in the order may come back.

    An email that could not be composed is composed again. Otherwise a new email is written.
    """
    # Requests for the same order wait for each other here on PostgreSQL. SQLite has one writer.
    session.execute(select(Order.id).where(Order.id == order.id).with_for_update(key_share=True))
    email = _newest_email(session, order)
    if email is not None and _STATES.get(State(email.state)) is ReceiptState.UNDER_WAY:
        return Again.UNDER_WAY
    if email is not None and email.made_from is not None:
        composer = request.registry.email_composer
        try:
            decisions.resend(session, email, PURCHASE_RECEIPT, request.now, composer)
        except Refused:
            return Again.UNCOMPOSED
        request.registry.email_wakeup.after_commit(session)
        return Again.QUEUED
    receipt = order.receipt
    if receipt is None:
        raise ValueError("an order that is not paid has no receipt")
    payment = next(paid for paid in order.payments if paid.id == receipt.payment_id)
    key = decisions.next_key(session, receipt_key(order))
    copy_to = request.account.address
    send_purchase_receipt(request, session, order, payment, receipt, key=key, copy_to=copy_to)
    return Again.QUEUED


def _newest_email(session: Session, order: Order) -> OutboxEmail | None:
    return session.scalars(
        select(OutboxEmail)
        .where(OutboxEmail.about == f"order:{order.id}", OutboxEmail.kind == PURCHASE_RECEIPT.name)
        .order_by(OutboxEmail.id.desc())
        .limit(1)
    ).one_or_none()
