"""The payment by which an order is to be paid now."""

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import insert_for
from app.shop.models import Order, Payment, PaymentState


def current_payment(session: Session, order: Order, provider: str, now: datetime) -> Payment:
    """The payment by which ``order`` is to be paid now.

    It is the latest one, or a new one where that leads nowhere. Called by two requests at once it
    gives both the same payment (D1).
    """
    latest_payment = (
        select(Payment)
        .where(Payment.order_id == order.id)
        .order_by(Payment.attempt.desc())
        .limit(1)
    )
    latest = session.scalars(latest_payment).one_or_none()
    if latest is not None and not _cannot_be_paid(latest, provider):
        return latest
    session.execute(
        insert_for(session, Payment)
        .values(
            id=secrets.token_hex(16),
            order_id=order.id,
            attempt=latest.attempt + 1 if latest else 1,
            provider=provider,
            amount=order.total,
            currency=order.currency,
            state=PaymentState.PENDING,
            created_at=now,
        )
        .on_conflict_do_nothing(index_elements=["order_id", "attempt"])
    )
    return session.scalars(latest_payment).one()


def _cannot_be_paid(payment: Payment, provider: str) -> bool:
    """It failed, or it waits at a provider that this shop no longer uses."""
    waits = payment.state == PaymentState.PENDING
    return payment.state == PaymentState.FAILED or (waits and payment.provider != provider)
