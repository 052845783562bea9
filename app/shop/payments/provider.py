"""Payments: what the shop asks of a provider, and the one place where a payment is settled.

A provider is asked over the network, so it is never asked inside a database transaction. What it
answered, a `Verdict`, is then settled inside one.
"""

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pyramid.request import Request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.shop.models import Order, OrderState, Payment, PaymentState, Receipt
from app.shop.receipts import issue_receipt

log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a payment stands at the provider."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a provider is asked to take: ``amount`` in minor units, once per ``payment_id``."""

    payment_id: str
    order_number: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class Started:
    """A payment that the provider knows: its name there, and the page where the customer pays."""

    reference: str
    url: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the provider says about a payment, and of its card no more than this (D9)."""

    outcome: Outcome
    order_number: str
    amount: int
    currency: str
    card_brand: str | None = None
    card_last4: str | None = None


class ProviderError(Exception):
    """The provider could not be asked, or its answer not understood. The payment is as it was."""


class PaymentProvider(Protocol):
    """Who takes the money."""

    name: str
    is_test: bool
    """No money moves, and every page, email and document says so (D12)."""

    def start(self, request: Request, charge: Charge) -> Started:
        """Tell the provider about a payment; the same one again gives the same answer.

        Raises `ProviderError`.
        """

    def fetch(self, reference: str) -> Verdict:
        """Ask how a payment stands. Raises `ProviderError`."""


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
    if latest is not None and not _leads_nowhere(latest, provider):
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


def _leads_nowhere(payment: Payment, provider: str) -> bool:
    """It failed, or it waits at a provider that this shop no longer uses."""
    waits = payment.state == PaymentState.PENDING
    return payment.state == PaymentState.FAILED or (waits and payment.provider != provider)


def settle(
    session: Session,
    payment_id: str,
    verdict: Verdict,
    *,
    now: datetime,
    announce: Callable[[Order, Payment, Receipt], None],
) -> bool:
    """Write down what became of a payment; return whether this call did it (D3).

    The webhook, the return page and the reconciler all come here, in any order and as often as
    they like: one of them finds the payment unsettled, the others change nothing. What was paid is
    compared with what was asked; a mismatch is ``held`` for a person to look at. With the money
    right the order becomes paid, the receipt gets its number and ``announce`` queues its email,
    all in the transaction of ``session``.
    """
    if verdict.outcome is Outcome.PENDING or not _claim(session, payment_id, verdict, now):
        return False
    if verdict.outcome is Outcome.FAILED:
        log.info("payment %s failed", payment_id)
        return True
    payment = session.get_one(Payment, payment_id)
    order = payment.order
    problem = _mismatch(order, payment, verdict)
    if problem is None and not _mark_paid(session, order, now):
        problem = "the order was already paid by another payment"
    if problem is not None:
        payment.state = PaymentState.HELD
        payment.held_because = problem
        log.error("payment %s is held: %s", payment_id, problem)
        return True
    receipt = issue_receipt(session, order, payment, now)
    announce(order, payment, receipt)
    log.info("payment %s paid order %s, receipt %s", payment_id, order.id, receipt.number)
    return True


def _claim(session: Session, payment_id: str, verdict: Verdict, now: datetime) -> bool:
    paid = verdict.outcome is Outcome.PAID
    # Money that comes in the end for a payment that had failed is money all the same.
    unsettled = [PaymentState.PENDING, PaymentState.FAILED] if paid else [PaymentState.PENDING]
    claimed = session.scalars(
        update(Payment)
        .where(Payment.id == payment_id, Payment.state.in_(unsettled))
        .values(
            state=PaymentState.PAID if paid else PaymentState.FAILED,
            card_brand=verdict.card_brand,
            card_last4=verdict.card_last4,
            settled_at=now,
        )
        .returning(Payment.id)
    ).one_or_none()
    return claimed is not None


def _mismatch(order: Order, payment: Payment, verdict: Verdict) -> str | None:
    """What is wrong about the money that came, in words for staff; None when nothing is."""
    if verdict.order_number != order.number:
        return f"it was paid for order {verdict.order_number}"
    if (verdict.amount, verdict.currency) != (order.total, order.currency):
        return f"{verdict.amount} {verdict.currency} came, {order.total} {order.currency} was asked"
    return None


def _mark_paid(session: Session, order: Order, now: datetime) -> bool:
    marked = session.scalars(
        update(Order)
        .where(Order.id == order.id, Order.state == OrderState.OPEN)
        .values(state=OrderState.PAID, paid_at=now)
        .returning(Order.id)
    ).one_or_none()
    return marked is not None
