"""Refunds: reserve the amount, ask the provider, and settle what it answers.

The refund is committed before the provider is asked, and its id is the idempotency key there. So
however often somebody asks after a crash, the money goes back once.
"""

import logging
import secrets

from pyramid.request import Request
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.database.base import insert_for
from app.shop.events import record, take_provider_event
from app.shop.models import (
    Order,
    Payment,
    PaymentState,
    Refund,
    RefundOrigin,
    RefundState,
)
from app.shop.models.payments import NOTHING_TO_PAY
from app.shop.payments.provider import (
    PaymentProvider,
    PaymentResult,
    ProviderError,
    ProviderRefuses,
    RefundAsked,
    RefundResult,
)
from app.shop.payments.refundable import (
    CannotRefund,
    MoreThanLeft,
    free,
    left_of,
    left_of_line,
    line_of,
    reserve,
)
from app.shop.payments.settle_refund import refuse_refund, settle_refund

log = logging.getLogger(__name__)


def request_refund(
    request: Request,
    session: Session,
    order: Order,
    payment: Payment,
    *,
    amount: int,
    position: int | None = None,
    reason: str = "",
    origin: RefundOrigin,
    by: str,
    withdrawal_id: int | None = None,
) -> Refund:
    """Write a refund of ``amount`` minor units and reserve them, in the caller's writing
    transaction. After the commit, call ``ask_for_refund``.

    ``position`` is the order's line that the refund is for; None when it is for no particular one.
    ``reason`` is in the shop's words, for the customer to read. ``by`` says who asked for it.

    Raises ``MoreThanLeft`` when less than ``amount`` is left of the payment or of the line, and
    ``CannotRefund`` when nothing of it can be refunded. Then nothing was written.
    """
    _check(request, payment)
    if payment.state != PaymentState.PAID:
        raise CannotRefund("The payment is not paid, so there is nothing to refund.")
    if amount <= 0:
        raise CannotRefund("The amount to refund must be more than 0.")
    line = None if position is None else line_of(order, position)
    if not reserve(session, payment, amount):
        session.refresh(payment)
        raise MoreThanLeft(left_of(session, order, payment, position), payment.currency)
    # The payment's row is locked now, so no other refund takes from this line before the commit.
    if line is not None and amount > left_of_line(session, payment, line):
        free(session, payment.id, amount)
        session.refresh(payment)
        raise MoreThanLeft(left_of(session, order, payment, position), payment.currency)
    return _write(
        request,
        session,
        payment,
        amount,
        by,
        position=position,
        reason=reason,
        origin=origin,
        withdrawal_id=withdrawal_id,
    )


def refund_held(
    request: Request, session: Session, payment: Payment, result: PaymentResult, *, by: str
) -> Refund:
    """Write a refund of all that came in with a held payment, in the caller's writing transaction.
    After the commit, call ``ask_for_refund``.

    ``result`` is what the provider says now about the payment. The payment's amount becomes the one
    that came; ``held_because`` still says what was asked. Raises ``CannotRefund``.
    """
    _check(request, payment)
    taken = session.scalars(
        update(Payment)
        .where(Payment.id == payment.id, Payment.state == PaymentState.HELD, Payment.refunded == 0)
        .values(amount=result.amount, currency=result.currency, refunded=result.amount)
        .returning(Payment)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if taken is None:
        raise CannotRefund("The payment is not held, or it is refunded already.")
    return _write(request, session, taken, result.amount, by, origin=RefundOrigin.SHOP)


def _check(request: Request, payment: Payment) -> None:
    """Raise ``CannotRefund`` unless the shop's provider is the one that took the money."""
    provider: PaymentProvider | None = request.registry.payment_provider
    if payment.provider == NOTHING_TO_PAY:
        raise CannotRefund("The order cost nothing, so there is nothing to refund.")
    took = f"{payment.provider} ({'test' if payment.is_test else 'live'})"
    if provider is None:
        raise CannotRefund(
            f"The payment was made with {took}, and the shop has no payment provider. Correct the"
            " settings payments.*."
        )
    if (provider.name, provider.is_test) != (payment.provider, payment.is_test):
        has = f"{provider.name} ({'test' if provider.is_test else 'live'})"
        raise CannotRefund(
            f"The payment was made with {took}, and the shop's provider is {has} now. Set"
            " payments.* back for this refund."
        )
    if payment.intent is None:
        raise CannotRefund(
            "The provider's name of the payment is not known. Refund it on the provider's own"
            " pages."
        )


def _write(
    request: Request,
    session: Session,
    payment: Payment,
    amount: int,
    by: str,
    *,
    origin: RefundOrigin,
    position: int | None = None,
    reason: str = "",
    withdrawal_id: int | None = None,
) -> Refund:
    refund = Refund(
        id=secrets.token_hex(16),
        order_id=payment.order_id,
        payment_id=payment.id,
        position=position,
        withdrawal_id=withdrawal_id,
        amount=amount,
        currency=payment.currency,
        reason=reason,
        origin=origin,
        state=RefundState.REQUESTED,
        requested_by=by,
        created_at=request.now,
    )
    session.add(refund)
    session.flush()
    _record_request(request, session, refund, by)
    return refund


def _record_request(request: Request, session: Session, refund: Refund, by: str) -> None:
    detail = f"refund={refund.id} amount={refund.amount} {refund.currency} state=requested"
    record(session, "refund", by=by, now=request.now, order_id=refund.order_id, detail=detail)


def ask_for_refund(request: Request, refund_id: str) -> None:
    """Ask the provider for a refund that is committed, and settle its answer. Without an answer the
    refund stays ``requested``, and the reconciler asks again.

    Call it outside of any transaction, because it asks the provider over the network.
    """
    provider: PaymentProvider | None = request.registry.payment_provider
    with short_transaction(request.registry, write=False) as session:
        refund = session.get_one(Refund, refund_id)
        payment = refund.payment
    if (
        provider is None
        or provider.name != payment.provider
        or refund.state != RefundState.REQUESTED
        or payment.intent is None
    ):
        return
    asked = RefundAsked(refund.id, payment.intent, refund.amount, refund.currency)
    try:
        result = provider.refund(asked)
    except ProviderRefuses as problem:
        with short_transaction(request.registry, write=True) as session:
            refuse_refund(request, session, session.get_one(Refund, refund_id), str(problem))
        return
    except ProviderError as problem:
        log.warning("refund not asked for: refund=%s problem=%s", refund_id, problem)
        return
    with short_transaction(request.registry, write=True) as session:
        refund = session.get_one(Refund, refund_id)
        settle_refund(request, session, refund, result, by=request.id)


def take_provider_refund(
    request: Request, result: RefundResult, *, by: str, event: tuple[str, str] | None = None
) -> None:
    """Settle a refund of ours, or record one that was made on the provider's own pages, with its
    document and email. A refund of a payment that is not ours changes nothing.

    ``event`` is the id and type of the provider's event that told us to look.
    """
    try:
        with short_transaction(request.registry, write=True) as session:
            if event is not None and not take_provider_event(session, *event, now=request.now):
                return
            refund = _find(session, result) or _take_foreign(request, session, result, by)
            if refund is not None:
                settle_refund(request, session, refund, result, by=by)
    except MoreThanLeft as problem:
        # A refund of ours holds the amount, and the provider does not know it yet. The provider
        # will refuse that one. The next event, or the daily comparison, takes this one then.
        values = result.reference, problem
        log.warning("refund cannot be taken yet: reference=%s problem=%s", *values)


def _find(session: Session, result: RefundResult) -> Refund | None:
    """Our row of the refund, if there is one."""
    known = select(Refund).where(Refund.reference == result.reference)
    found = session.scalars(known).one_or_none()
    if found is not None or result.refund_id is None:
        return found
    # One of ours whose answer did not reach us. If ours has another name there, this is a second
    # one, which was made by hand.
    asked = session.get(Refund, result.refund_id)
    is_it = (
        asked is not None
        and asked.state == RefundState.REQUESTED
        and asked.payment.intent == result.intent
    )
    return asked if is_it else None


def _take_foreign(
    request: Request, session: Session, result: RefundResult, by: str
) -> Refund | None:
    """Write the row of a refund that was made on the provider's own pages. None when it is of no
    payment of ours, or has failed before we heard of it. Raises ``MoreThanLeft``.
    """
    provider: PaymentProvider = request.registry.payment_provider
    payment = session.scalars(
        select(Payment).where(Payment.provider == provider.name, Payment.intent == result.intent)
    ).one_or_none()
    if payment is None:
        log.info("refund of a foreign payment: reference=%s", result.reference)
        return None
    if result.state in (RefundState.FAILED, RefundState.CANCELED):
        return None
    # Of two transactions that take the same refund, the second waits here for the first.
    written: Refund | None = session.scalars(
        insert_for(session, Refund)
        .values(
            id=secrets.token_hex(16),
            order_id=payment.order_id,
            payment_id=payment.id,
            amount=result.amount,
            currency=result.currency,
            reason="",
            origin=RefundOrigin.DASHBOARD,
            state=RefundState.REQUESTED,
            reference=result.reference,
            requested_by=by,
            created_at=request.now,
        )
        .on_conflict_do_nothing(index_elements=["reference"])
        .returning(Refund)
    ).one_or_none()
    if written is None:
        return _find(session, result)
    if not reserve(session, payment, result.amount, (PaymentState.PAID, PaymentState.HELD)):
        session.refresh(payment)
        raise MoreThanLeft(payment.amount - payment.refunded, payment.currency)
    _record_request(request, session, written, by)
    return written


def refunds_of(session: Session, order: Order) -> list[Refund]:
    """The order's refunds, the first one first. The last two states give nothing back."""
    return list(
        session.scalars(
            select(Refund).where(Refund.order_id == order.id).order_by(Refund.created_at, Refund.id)
        )
    )
