"""Withdrawal from a contract by a statement on the shop's pages (Directive 2011/83/EU, Articles 9,
11a and 16(m)).

A statement is recorded and acknowledged, whatever it is worth. While the right lasts, what was not
downloaded is refunded by itself, and its download is closed. Staff decide about everything else.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from pyramid.request import Request
from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.mail.addresses import key_of
from app.mail.outbox.tables import OutboxEmail, State
from app.shop.emails import (
    DOWNLOAD_READY,
    PURCHASE_RECEIPT,
    NextStep,
    Notice,
    send_shop_notice,
    send_withdrawal_received,
)
from app.shop.events import record
from app.shop.models import Order, OrderLine, RefundOrigin, Withdrawal, WithdrawalState
from app.shop.payments.disputes import is_disputed
from app.shop.payments.refundable import CannotRefund, left_of, payment_of
from app.shop.payments.refunds import request_refund

log = logging.getLogger(__name__)

MOST_UNMATCHED = 20
"""How many notices a day staff get about statements that fit no order."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What a customer declares. ``token`` names the form, so that sending it twice is one
    statement. Without ``positions`` it is about the whole order.
    """

    token: str
    name: str
    order_number: str
    email: str
    positions: frozenset[int] = frozenset()


def order_of(session: Session, number: str, email: str, account_id: int | None) -> Order | None:
    """The order with this number, if the address is its buyer's or the account its owner's."""
    order = session.scalars(select(Order).where(Order.number == number)).one_or_none()
    if order is None:
        return None
    is_owners = account_id is not None and order.account_id == account_id
    return order if is_owners or key_of(order.buyer_email) == key_of(email) else None


def receive(
    request: Request, session: Session, statement: Statement, account_id: int | None
) -> tuple[Withdrawal, list[str]]:
    """Record a statement, acknowledge it by email, and act on it, all in the transaction of
    ``session``.

    Returns the withdrawal, and the ids of the refunds that ``ask_for_refund`` has to ask for once
    the transaction has committed. A second call with the same token changes nothing.
    """
    order = order_of(session, statement.order_number, statement.email, account_id)
    lines = [] if order is None else _chosen(order, statement.positions)
    withdrawal: Withdrawal | None = session.scalars(
        insert_for(session, Withdrawal)
        .values(
            token=statement.token,
            order_id=order.id if order else None,
            order_number=statement.order_number,
            name=statement.name,
            email=statement.email,
            positions=[line.position for line in lines],
            locale=request.locale_name,
            received_at=request.now,
            request_id=request.id,
            state=WithdrawalState.RECEIVED,
            note="",
        )
        .on_conflict_do_nothing(index_elements=["token"])
        .returning(Withdrawal)
    ).one_or_none()
    if withdrawal is None:
        by_token = select(Withdrawal).where(Withdrawal.token == statement.token)
        return session.scalars(by_token).one(), []
    refunds, problem = _act(request, session, withdrawal, order, lines)
    next_step = _next_step(refunds, problem)
    send_withdrawal_received(request, session, withdrawal, order, next_step)
    if problem is None:
        _decide(request, withdrawal, WithdrawalState.ACCEPTED, by="the shop")
    elif order is not None or _few_are_unmatched(session, withdrawal):
        send_shop_notice(
            request,
            session,
            Notice.WITHDRAWAL_TO_DECIDE,
            str(withdrawal.id),
            order=order,
            order_number=statement.order_number,
            reason=problem,
        )
    values = withdrawal.id, withdrawal.state, len(refunds)
    log.info("withdrawal received: withdrawal=%d state=%s refunds=%d", *values)
    return withdrawal, refunds


def _next_step(refunds: list[str], problem: str | None) -> NextStep:
    if problem is None:
        return NextStep.REFUND if refunds else NextStep.NOTHING
    return NextStep.REFUND_AND_CHECK if refunds else NextStep.CHECK


def _few_are_unmatched(session: Session, withdrawal: Withdrawal) -> bool:
    """Whether a notice about a statement that fits no order may be sent.

    Anybody can make such statements, and staff must not drown in notices about them. They find all
    of them by ``pillarbox withdrawals INI list``.
    """
    unmatched = session.scalar(
        select(func.count()).where(
            Withdrawal.order_id.is_(None),
            Withdrawal.state == WithdrawalState.RECEIVED,
            Withdrawal.received_at > withdrawal.received_at - timedelta(days=1),
        )
    )
    return (unmatched or 0) <= MOST_UNMATCHED


def accept(request: Request, session: Session, withdrawal: Withdrawal, *, by: str) -> list[str]:
    """Give the money for all of its lines back, and close their downloads. Returns the ids of the
    refunds, for ``ask_for_refund``.

    Raises ``CannotRefund`` when the money cannot go back, and ``ValueError`` when no order fits.
    """
    order = withdrawal.order
    if order is None:
        raise ValueError("no order has this number and email address")
    refunds = _close_and_refund(
        request, session, withdrawal, order, _chosen(order, frozenset(withdrawal.positions)), by=by
    )
    _decide(request, withdrawal, WithdrawalState.ACCEPTED, by=by)
    return refunds


def close(request: Request, withdrawal: Withdrawal, *, note: str, by: str) -> None:
    """End the withdrawal without giving anything back. ``note`` says why, for staff to read."""
    _decide(request, withdrawal, WithdrawalState.CLOSED, by=by)
    withdrawal.note = note


def right_lasts(session: Session, order: Order, line: OrderLine, at: datetime) -> bool:
    """Whether the buyer can withdraw from this line at the time ``at``.

    The right ends with the fourteenth day after the order's. It ends earlier once the buyer has
    consented, the download has begun, and a relay has accepted the email that confirms the consent
    (Article 16(m)).
    """
    if at >= order.withdrawal_ends_at:
        return False
    began = line.first_download_at
    if order.consent_at is None or began is None or began > at:
        return True
    is_confirmed = exists().where(
        OutboxEmail.about == f"order:{order.id}",
        OutboxEmail.kind.in_([PURCHASE_RECEIPT.name, DOWNLOAD_READY.name]),
        OutboxEmail.created_at >= order.consent_at,
        OutboxEmail.state.in_([State.SENT, State.BOUNCED]),
        OutboxEmail.sent_at <= at,
    )
    return not session.scalar(select(is_confirmed))


def _act(
    request: Request,
    session: Session,
    withdrawal: Withdrawal,
    order: Order | None,
    lines: list[OrderLine],
) -> tuple[list[str], str | None]:
    """Do what needs no decision. Returns the refunds, and why staff have to decide, if they do."""
    if order is None:
        return [], "no order has this number and email address"
    # On PostgreSQL, a payment of this order and downloads of these lines wait for this transaction,
    # or this one for them. SQLite has one writer.
    for row in (order, *lines):
        session.refresh(row, with_for_update={"key_share": True})
    if is_disputed(session, order):
        # Otherwise the money could leave twice: by the bank, and by a refund.
        return [], "the customer's bank has wanted the money back, see the dispute"
    if all(line.closed_at for line in lines):
        return [], "all of it was withdrawn from already"
    by_itself = [
        line
        for line in lines
        if line.first_download_at is None and right_lasts(session, order, line, request.now)
    ]
    try:
        refunds = _close_and_refund(request, session, withdrawal, order, by_itself, by=request.id)
    except CannotRefund as problem:
        return [], f"the money could not go back by itself: {problem}"
    left_to_decide = [line for line in lines if line.closed_at is None]
    return refunds, _why_undecided(request, session, order, left_to_decide)


def _why_undecided(
    request: Request, session: Session, order: Order, lines: list[OrderLine]
) -> str | None:
    """What staff have to know to decide about these lines; None if there are none."""
    if not lines:
        return None
    if request.now >= order.withdrawal_ends_at:
        return "the 14 days are over"
    if any(right_lasts(session, order, line, request.now) for line in lines):
        return (
            "a download had begun, but no relay has accepted the email that confirms the customer's"
            " consent, so the right of withdrawal has not ended"
        )
    return "a download had begun with the customer's consent, which had ended the right"


def _close_and_refund(
    request: Request,
    session: Session,
    withdrawal: Withdrawal,
    order: Order,
    lines: Collection[OrderLine],
    *,
    by: str,
) -> list[str]:
    """Close the lines that are not closed yet, and write the refund of what is left of them. For a
    whole order it is one refund, so the customer gets one document and one email.
    """
    closing = [line for line in lines if line.closed_at is None]
    positions: list[int | None] = [line.position for line in closing]
    if len(closing) == len(order.lines):
        positions = [None]
    with session.begin_nested():
        for line in closing:
            line.closed_at = request.now
        refunds = [
            refund
            for position in positions
            if (refund := _refund(request, session, withdrawal, order, position, by=by)) is not None
        ]
        session.flush()
    detail = f"withdrawal={withdrawal.id} lines={len(closing)} refunds={len(refunds)}"
    record(session, "withdrawal", by=by, now=request.now, order_id=order.id, detail=detail)
    return refunds


def _refund(
    request: Request,
    session: Session,
    withdrawal: Withdrawal,
    order: Order,
    position: int | None,
    *,
    by: str,
) -> str | None:
    """Write the refund of what is left of a line, or of the whole order. Returns its id; None if
    the order is not paid, or nothing is left.
    """
    payment = payment_of(order)
    amount = left_of(session, order, payment, position) if payment is not None else 0
    if payment is None or amount == 0:
        return None
    return request_refund(
        request,
        session,
        order,
        payment,
        amount=amount,
        position=position,
        origin=RefundOrigin.WITHDRAWAL,
        by=by,
        withdrawal_id=withdrawal.id,
    ).id


def _chosen(order: Order, positions: frozenset[int]) -> list[OrderLine]:
    return [line for line in order.lines if not positions or line.position in positions]


def _decide(request: Request, withdrawal: Withdrawal, state: WithdrawalState, *, by: str) -> None:
    withdrawal.state = state
    withdrawal.decided_at = request.now
    withdrawal.decided_by = by
