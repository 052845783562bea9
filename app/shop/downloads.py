"""Downloads of an order: when they open, and when the first one begins."""

from datetime import datetime, timedelta

from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.emails import send_download_ready
from app.shop.events import record
from app.shop.models import Order, OrderLine, OrderState
from app.web.background import background_request
from app.web.limits import Limit

EACH_FILE = Limit("download", 20, timedelta(days=1))
"""How often a file of an order may be downloaded."""
BATCH = 100


def can_be_downloaded(order: Order, line: OrderLine) -> bool:
    """Whether the order is paid and open, and the line is a file that was not withdrawn from."""
    is_open = order.is_paid and order.opened_at is not None
    return is_open and line.closed_at is None and line.file_sha256 is not None


def waits(order: Order) -> bool:
    """Whether the order is paid, and files of it wait for consent or for the end of the time to
    withdraw.
    """
    has_files = any(line.closed_at is None and line.file_sha256 for line in order.lines)
    return order.is_paid and order.opened_at is None and has_files


def give_consent(request: Request, session: Session, order: Order) -> bool:
    """Open the downloads of a paid order, since the customer asks for it and acknowledges that the
    right of withdrawal ends when a download begins. An email confirms it.

    Returns whether this call opened them.
    """
    if not waits(order):
        return False
    now = request.now
    opened = session.scalars(
        update(Order)
        .where(Order.id == order.id, Order.state == OrderState.PAID, Order.opened_at.is_(None))
        .values(consent_at=now, opened_at=now)
        .returning(Order.id)
    ).one_or_none()
    if opened is None:
        return False
    session.refresh(order)
    record(session, "consent to start the downloads", by=request.id, now=now, order_id=order.id)
    send_download_ready(request, session, order, consent_at=now)
    return True


def begin_download(session: Session, line: OrderLine, now: datetime) -> bool:
    """Keep the time of the first download of a line, which ends the right to withdraw from it.

    Returns False when the buyer has withdrawn from the line meanwhile. Then nothing is to be sent.
    """
    if line.first_download_at is not None:
        return True
    this_line = OrderLine.order_id == line.order_id, OrderLine.position == line.position
    # A withdrawal holds the row until its end, so the condition is looked at after it.
    session.execute(
        update(OrderLine)
        .where(*this_line, OrderLine.first_download_at.is_(None), OrderLine.closed_at.is_(None))
        .values(first_download_at=now)
    )
    begun = select(OrderLine.first_download_at).where(*this_line)
    return session.scalar(begun) is not None


def open_waiting_downloads(registry: Registry) -> dict[str, int]:
    """Open the downloads of the orders whose time to withdraw has passed, and tell the customers.

    One of the shop's chores.
    """
    request = background_request(registry, "downloads")
    waiting = (
        select(Order.id)
        .where(
            Order.opened_at.is_(None),
            Order.withdrawal_ends_at <= request.now,
            Order.state == OrderState.PAID,
        )
        .order_by(Order.withdrawal_ends_at)
        .limit(BATCH)
    )
    with short_transaction(registry, write=False) as session:
        order_ids = session.scalars(waiting).all()
    for order_id in order_ids:
        with short_transaction(registry, write=True) as session:
            _open(request, session, order_id)
    return {"orders whose downloads opened": len(order_ids)}


def _open(request: Request, session: Session, order_id: int) -> None:
    order = session.scalars(
        update(Order)
        .where(Order.id == order_id, Order.opened_at.is_(None))
        .values(opened_at=request.now)
        .returning(Order)
    ).one_or_none()
    if order is not None and any(can_be_downloaded(order, line) for line in order.lines):
        send_download_ready(request, session, order, consent_at=None)
