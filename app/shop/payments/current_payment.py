"""Find the payment that a customer pays an order with, or make one."""

import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import Order, Payment, PaymentState


def current_payment(session: Session, order: Order, provider: str, now: datetime) -> Payment:
    """The payment that the customer pays ``order`` with now.

    It is the latest payment, or a new one if the latest cannot be paid. Two simultaneous requests
    get the same payment (STANDARDS D1).
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
    """Whether it failed, or is pending at a provider that this shop no longer uses."""
    waits = payment.state == PaymentState.PENDING
    return payment.state == PaymentState.FAILED or (waits and payment.provider != provider)
