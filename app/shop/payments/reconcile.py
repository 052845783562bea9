"""The reconciler: asks the provider about everything that is not settled yet.

It finds what no webhook told us of, and finishes what a process that died had begun. Several may
run at once and share the work: each claims a payment before it asks about it, by an update that
lets one of them through.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TypeVar

from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import Select, and_, or_, select, update

from app.database import short_transaction
from app.shop.models import Payment, PaymentState, Refund, RefundState
from app.shop.models.payments import UNSETTLED
from app.shop.models.refunds import OPEN
from app.shop.payments.asking import check_payment, claim_check, end_unknown, settle_result
from app.shop.payments.current_payment import expire_unstarted
from app.shop.payments.provider import PaymentProvider, ProviderError, ProviderRefuses
from app.shop.payments.provider_refunds import take_provider_refund
from app.shop.payments.refunds import ask_for_refund
from app.shop.payments.stranded_refunds import tell_of_stranded_refunds
from app.web import limits
from app.web.background import background_request
from app.web.limits import Limit

log = logging.getLogger(__name__)

NAME = "reconciler"
"""Who settled it, in the events of an order."""
PERIOD = timedelta(minutes=5)
"""How often it runs, and how long it leaves a payment alone that somebody has asked about."""
YOUNGEST = timedelta(minutes=2)
"""Younger payments are left to the customer's own return and to the webhook."""
PROCESSING_PERIOD = timedelta(hours=1)
LOOKS_BACK = timedelta(days=3)
DAILY = Limit("reconcile", 1, timedelta(days=1))
BATCH = 100

Row = TypeVar("Row")


def reconcile(registry: Registry, *, is_daily_due: bool = False) -> dict[str, int]:
    """Settle all that the provider knows more about, and return how often each thing was done.

    Once a day, and when ``is_daily_due``, compare the provider's sessions and refunds of three days
    with ours. An error of the provider ends a step, and the next run goes on.
    """
    provider: PaymentProvider = registry.payment_provider
    request = background_request(registry, NAME)
    done = {
        "payments expired": _expire_unstarted(request),
        "refunds that wait for another provider": tell_of_stranded_refunds(request),
    }
    steps: list[tuple[str, Callable[[Request, PaymentProvider], int]]] = [
        ("payments asked about", _check_payments),
        ("refunds asked about", _check_refunds),
    ]
    compared_lately = limits.count_uses(registry, [(DAILY, provider.name)], request.now)
    if compared_lately is not None and compared_lately.is_first:
        log.info("payments and refunds not compared: this or another process did so within a day")
    if is_daily_due or compared_lately is None:
        steps.append(("payments and refunds compared", _compare))
    for what, step in steps:
        try:
            done[what] = step(request, provider)
        except ProviderError as error:
            # The next step may concern another part of the provider, so it is tried all the same.
            log.warning("reconciling stopped: step=%s problem=%s", what, error)
            if step is _compare:
                limits.clear(registry, give_back=[(DAILY, provider.name)])
    return done


def _expire_unstarted(request: Request) -> int:
    unstarted = select(Payment).where(
        Payment.state == PaymentState.PENDING,
        Payment.session.is_(None),
        Payment.expires_at <= request.now,
    )
    expired = 0
    with short_transaction(request.registry, write=True) as session:
        for payment in session.scalars(unstarted.limit(BATCH)).all():
            expired += expire_unstarted(session, payment, request.now)
    return expired


def _check_payments(request: Request, provider: PaymentProvider) -> int:
    now = request.now
    is_due = or_(Payment.checked_at.is_(None), Payment.checked_at <= now - PERIOD)
    is_hour_old = or_(Payment.checked_at.is_(None), Payment.checked_at <= now - PROCESSING_PERIOD)
    due = select(Payment).where(
        Payment.state.in_(UNSETTLED),
        Payment.provider == provider.name,
        Payment.livemode.is_not(provider.is_test),
        Payment.session.is_not(None),
        Payment.created_at <= now - YOUNGEST,
        or_(
            and_(Payment.state == PaymentState.PENDING, is_due),
            and_(Payment.state == PaymentState.PROCESSING, is_hour_old),
        ),
    )
    # Who was asked about longest ago comes first, so that one bad payment holds up no other.
    due = due.order_by(Payment.checked_at.asc().nulls_first(), Payment.created_at)
    asked = 0
    for payment in _each(request, due):
        period = PERIOD if payment.state == PaymentState.PENDING else PROCESSING_PERIOD
        if not claim_check(request, payment.id, period):
            continue
        try:
            check_payment(request, payment, by=NAME)
        except ProviderRefuses as problem:
            log.error("payment unknown to the provider: payment=%s problem=%s", payment.id, problem)
            end_unknown(request, payment)
        asked += 1
    return asked


def _check_refunds(request: Request, provider: PaymentProvider) -> int:
    now = request.now
    due = (
        select(Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(
            Refund.state.in_(OPEN),
            Payment.provider == provider.name,
            Payment.livemode.is_not(provider.is_test),
            Refund.created_at <= now - YOUNGEST,
            or_(Refund.checked_at.is_(None), Refund.checked_at <= now - PERIOD),
        )
        .order_by(Refund.created_at)
    )
    asked = 0
    for refund in _each(request, due):
        if not _claim_refund(request, refund):
            continue
        if refund.state == RefundState.REQUESTED or refund.reference is None:
            ask_for_refund(request, refund.id)
        else:
            _check_refund(request, provider, refund.id, refund.reference)
        asked += 1
    return asked


def _check_refund(
    request: Request, provider: PaymentProvider, refund_id: str, reference: str
) -> None:
    try:
        take_provider_refund(request, provider.fetch_refund(reference), by=NAME)
    except ProviderRefuses as problem:
        log.error("refund unknown to the provider: refund=%s problem=%s", refund_id, problem)


def _claim_refund(request: Request, refund: Refund) -> bool:
    with short_transaction(request.registry, write=True) as session:
        claimed = session.scalars(
            update(Refund)
            .where(
                Refund.id == refund.id,
                or_(Refund.checked_at.is_(None), Refund.checked_at <= request.now - PERIOD),
            )
            .values(checked_at=request.now)
            .returning(Refund.id)
        ).one_or_none()
    return claimed is not None


def _compare(request: Request, provider: PaymentProvider) -> int:
    """Settle every payment and refund of the last days that the provider knows."""
    since = request.now - LOOKS_BACK
    compared = 0
    for result in provider.payments_since(since):
        with short_transaction(request.registry, write=False) as session:
            payment = session.get(Payment, result.payment_id)
        if payment is not None and payment.provider == provider.name:
            settle_result(request, payment.id, result, by=NAME)
            compared += 1
    for refund in provider.refunds_since(since):
        take_provider_refund(request, refund, by=NAME)
        compared += 1
    return compared


def _each(request: Request, rows: Select[Row]) -> Iterator[Row]:
    """The rows of a query, read in batches. Whoever takes them makes sure that a row which was
    taken is no longer found.
    """
    while True:
        with short_transaction(request.registry, write=False) as session:
            batch = session.scalars(rows.limit(BATCH)).all()
        yield from batch
        if len(batch) < BATCH:
            return
