"""Settle a refund: what the provider says about it, recorded once, with its document and email."""

import logging

from pyramid.request import Request
from sqlalchemy import update
from sqlalchemy.orm import Session

from app.i18n.formats import amount
from app.shop.documents.issue import issue
from app.shop.emails import Notice, send_refund_receipt, send_shop_notice
from app.shop.events import record
from app.shop.models import DocumentKind, PaymentState, Refund, RefundState
from app.shop.models.refunds import OPEN
from app.shop.payments.provider import RefundResult
from app.shop.payments.refundable import HOLDING, free
from app.shop.refund_taxes import refund_taxes

log = logging.getLogger(__name__)

_BEFORE: dict[RefundState, tuple[RefundState, ...]] = {
    RefundState.REQUESTED: (),
    RefundState.PENDING: (RefundState.REQUESTED,),
    RefundState.SUCCEEDED: OPEN,
    # A bank can return a refund that had succeeded.
    RefundState.FAILED: HOLDING,
    RefundState.CANCELED: HOLDING,
}
"""From which states each state is reached. The last two are final at the provider."""


def settle_refund(
    request: Request, session: Session, refund: Refund, result: RefundResult, *, by: str
) -> bool:
    """Record what the provider says about a refund. Returns whether that was news.

    Every way to learn of it ends here, in any order and any number of times. When it has succeeded,
    its document gets its number and its email is queued, in the transaction of ``session``. When it
    has failed, its amount is free for another refund and staff are told.

    ``request`` may be one that nobody sent. ``by`` says who told us.
    """
    if (result.amount, result.currency) != (refund.amount, refund.currency):
        values = refund.id, result.amount, result.currency
        log.error("refund differs from ours: refund=%s theirs=%d %s", *values)
        return False
    before = _BEFORE[result.state]
    return _move(
        request, session, refund, before, result.state, result.reference, result.failure, by=by
    )


def refuse_refund(request: Request, session: Session, refund: Refund, problem: str) -> bool:
    """Record that the provider refuses to make the refund, in its words. Returns whether that was
    news.
    """
    before = (RefundState.REQUESTED,)
    state = RefundState.FAILED
    return _move(request, session, refund, before, state, None, problem, by=request.id)


def _move(
    request: Request,
    session: Session,
    refund: Refund,
    before: tuple[RefundState, ...],
    state: RefundState,
    reference: str | None,
    failure: str | None,
    *,
    by: str,
) -> bool:
    moved = session.scalars(
        update(Refund)
        .where(Refund.id == refund.id, Refund.state.in_(before))
        .values(
            state=state,
            reference=reference,
            failure=failure,
            settled_at=None if state is RefundState.PENDING else request.now,
        )
        .returning(Refund)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if moved is None:
        return False
    detail = f"refund={moved.id} amount={moved.amount} {moved.currency} state={state}"
    record(session, "refund", by=by, now=request.now, order_id=moved.order_id, detail=detail)
    log.info("refund settled: refund=%s state=%s", moved.id, state)
    if state is RefundState.SUCCEEDED:
        _hand_out_document(request, session, moved)
    elif state is not RefundState.PENDING:
        _give_up(request, session, moved)
    return True


def _hand_out_document(request: Request, session: Session, refund: Refund) -> None:
    order, payment = refund.order, refund.payment
    taxes = refund_taxes(session, refund)
    document = issue(
        session,
        DocumentKind.REFUND,
        order,
        payment,
        refund,
        now=request.now,
        zone=request.registry.pillarbox.site.time_zone,
        languages=request.registry.languages,
        taxes=taxes,
    )
    send_refund_receipt(request, session, order, refund, document, taxes=taxes)


def _give_up(request: Request, session: Session, refund: Refund) -> None:
    free(session, refund.payment_id, refund.amount)
    log.error("refund failed: refund=%s problem=%s", refund.id, refund.failure)
    send_shop_notice(
        request,
        session,
        Notice.REFUND_FAILED,
        refund.reference or refund.id,
        order=refund.order,
        amount=refund.amount,
        currency=refund.currency,
        reason=refund.failure or f"the provider says that it is {refund.state}",
        is_test=refund.payment.is_test,
        options=_options(refund),
        held_payment=refund.payment_id if refund.payment.state == PaymentState.HELD else "",
    )


def _options(refund: Refund) -> str:
    """The options with which ``pillarbox refund`` gives back the same amount of the same line."""
    line = "" if refund.position is None else f"--line {refund.position + 1} "
    return f"{line}--amount {amount(refund.amount, refund.currency):f}"
