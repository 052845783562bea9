"""Find the payment that a customer pays an order with, or make one."""

import secrets
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import Order, Payment, PaymentState
from app.shop.models.payments import NOTHING_TO_PAY
from app.shop.payments.provider import PaymentProvider

LIFETIME = timedelta(minutes=60)
"""How long the customer can pay on the provider's page. After that, the order's page begins the
next attempt.
"""


def current_payment(
    session: Session, order: Order, provider: PaymentProvider, now: datetime
) -> Payment:
    """The payment that the customer pays ``order`` with now.

    It is the latest payment, or a new one if the latest cannot be paid. Two simultaneous requests
    get the same payment (STANDARDS D1). ``provider`` takes no part in
    that of an order of 0.
    """
    latest_payment = (
        select(Payment)
        .where(Payment.order_id == order.id)
        .order_by(Payment.attempt.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    name = provider.name if order.total else NOTHING_TO_PAY
    latest = session.scalars(latest_payment).one_or_none()
    livemode = not provider.is_test
    if latest is not None and not _cannot_be_paid(session, latest, name, livemode, now):
        return latest
    session.execute(
        insert_for(session, Payment)
        .values(
            id=secrets.token_hex(16),
            order_id=order.id,
            attempt=latest.attempt + 1 if latest else 1,
            provider=name,
            livemode=livemode,
            amount=order.total,
            currency=order.currency,
            refunded=0,
            state=PaymentState.PENDING,
            created_at=now,
            expires_at=now + LIFETIME,
        )
        .on_conflict_do_nothing(index_elements=["order_id", "attempt"])
    )
    return session.scalars(latest_payment).one()


def _cannot_be_paid(
    session: Session, payment: Payment, provider: str, livemode: bool, now: datetime
) -> bool:
    """Whether it is over, or pending at a provider or in a mode that this shop no longer uses."""
    if payment.state == PaymentState.PENDING and payment.session is None:
        expire_unstarted(session, payment, now)
    is_over = payment.state in (PaymentState.FAILED, PaymentState.EXPIRED) or payment.is_given_back
    is_elsewhere = (payment.provider, payment.livemode) != (provider, livemode)
    return is_over or (payment.state == PaymentState.PENDING and is_elsewhere)


def expire_unstarted(
    session: Session, payment: Payment, now: datetime, sooner: timedelta = timedelta()
) -> bool:
    """End a payment that has got no session in an hour, or ``sooner``. Returns whether this call
    ended it.

    The provider makes no session any more after that time, so nobody can pay it.
    """
    ended = session.scalars(
        update(Payment)
        .where(
            Payment.id == payment.id,
            Payment.state == PaymentState.PENDING,
            Payment.session.is_(None),
            Payment.expires_at <= now + sooner,
        )
        .values(state=PaymentState.EXPIRED, settled_at=now)
        .returning(Payment.id)
    ).one_or_none()
    if ended is not None:
        session.refresh(payment)
    return ended is not None
