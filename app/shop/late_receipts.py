"""Receipts that no relay has accepted within a day: the shop's own people are told."""

from datetime import timedelta

from pyramid.registry import Registry
from sqlalchemy import String, cast, exists, select
from sqlalchemy.orm import aliased

from app.database import short_transaction
from app.mail.outbox.tables import OutboxEmail, State
from app.shop.emails import Notice, send_shop_notice
from app.shop.models import Order
from app.web.background import background_request

PATIENCE = timedelta(hours=24)
LOOKS_BACK = timedelta(days=7)
"""Orders that were paid longer ago are not looked at again."""
ACCEPTED = (State.SENT, State.BOUNCED, State.CAPTURED)
"""The states of an email that left, or that stays here by intent."""
BATCH = 100


def tell_of_late_receipts(registry: Registry) -> dict[str, int]:
    """Queue a notice, once, for each order whose receipt has not left a day after the payment."""
    request = background_request(registry, "late receipts")
    notice = aliased(OutboxEmail)
    key = f"shop_notice:{Notice.RECEIPT_NOT_SENT}:" + cast(OutboxEmail.id, String)
    is_told = exists().where(notice.key == key)
    paid_before = request.now - PATIENCE
    late = (
        select(Order.id, OutboxEmail)
        .join(OutboxEmail, OutboxEmail.key == "purchase_receipt:" + cast(Order.id, String))
        .where(
            Order.paid_at <= paid_before,
            Order.paid_at > paid_before - LOOKS_BACK,
            OutboxEmail.state.not_in(ACCEPTED),
            ~is_told,
        )
        .order_by(Order.paid_at)
        .limit(BATCH)
    )
    # Composing takes longer than reading, so it does not hold the write lock of a whole batch.
    with short_transaction(registry, write=False) as session:
        found = session.execute(late).all()
    for order_id, email in found:
        with short_transaction(registry, write=True) as session:
            send_shop_notice(
                request,
                session,
                Notice.RECEIPT_NOT_SENT,
                str(email.id),
                order=session.get_one(Order, order_id),
                reason=email.reason or email.state,
            )
    return {"receipts that no relay accepted": len(found)}
