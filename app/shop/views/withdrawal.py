"""The pages to withdraw from a contract (Directive 2011/83/EU, Article 11a): the customer says who
and which order, confirms the statement with one button, and sees that it was received.

No sign-in is needed. What was entered waits in the visitor's signed cookie for the page with the
statement. That page's form holds all that it shows, so that its button confirms this and nothing
else, whatever another tab has done meanwhile. The pages look alike whether the order exists or not.
"""

import hashlib
import logging
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import short_transaction
from app.shop.forms import WithdrawalForm
from app.shop.models import Order, Seller, Withdrawal
from app.shop.order_numbers import read_order_number
from app.shop.payments.asking import close_payment_page
from app.shop.payments.provider import ProviderError
from app.shop.payments.refunds import ask_for_refund
from app.shop.payments.waiting import place_to_wait
from app.shop.withdrawal import Statement, order_of, receive
from app.web import limits
from app.web.limits import Limit, LimitReached
from app.web.translation import _

log = logging.getLogger(__name__)

Page = dict[str, Any]
FORM, CONFIRM = "shop/withdraw.jinja2", "shop/confirm_withdrawal.jinja2"

STATEMENTS = Limit("withdrawal", 10, timedelta(hours=1))
"""How many statements one network may make. Each sends an email."""
SHOWN_FOR = timedelta(hours=1)
"""How long the browser that made a statement can see it again."""
LINE = "line-"
"""How the name of a line's box begins. Its position follows."""
_NAME, _ORDER, _EMAIL = "withdrawal_name", "withdrawal_order", "withdrawal_email"
_TOKEN = "withdrawal_token"  # noqa: S105 (the name of a field)
_MADE = "withdrawal_id"


@view_config(route_name="withdraw", request_method="GET", renderer=FORM)
def withdraw(request: Request) -> Page:
    """Show the form, filled in where we know the customer."""
    account = request.account
    pending = request.visitor.pending
    number = read_order_number(request.GET.get("order", "")) or pending.get(_ORDER, "")
    name = pending.get(_NAME, "")
    if account is not None and not name:
        of_account = select(Order).where(Order.account_id == account.id)
        by_number = of_account.order_by(Order.number != number, Order.id.desc()).limit(1)
        order = request.dbsession.scalars(by_number).one_or_none()
        name = order.buyer_name if order else ""
    email = account.address if account is not None else pending.get(_EMAIL, "")
    return _form_page(request, WithdrawalForm(request, name=name, order=number, email=email))


@view_config(route_name="withdraw", request_method="POST", renderer=FORM)
def state_order(request: Request) -> Page | Response:
    """Keep what the customer entered, and go on to the statement."""
    form = WithdrawalForm(request)
    if not form.validate():
        return _form_page(request, form)
    request.visitor.pending |= {
        _NAME: form.name.data or "",
        _ORDER: read_order_number(form.order.data or "") or "",
        _EMAIL: form.email.address.stored,
        _TOKEN: secrets.token_hex(16),
    }
    return HTTPSeeOther(request.route_path("confirm_withdrawal"))


def _form_page(request: Request, form: WithdrawalForm) -> Page:
    """The page with the form. Only its owner learns from it that an order is a test."""
    number = read_order_number(form.order.data or "")
    order = None
    if request.account is not None and number is not None:
        own = select(Order).where(Order.number == number, Order.account_id == request.account.id)
        order = request.dbsession.scalars(own).one_or_none()
    return {"form": form, "is_test": order is not None and order.is_test}


@view_config(route_name="confirm_withdrawal", request_method="GET", renderer=CONFIRM)
def statement(request: Request) -> Page | Response:
    """Show the statement, and the one button that makes it."""
    found = _statement(request)
    if found is None:
        return HTTPSeeOther(request.route_path("withdraw"))
    return _statement_page(request, request.dbsession, found)


@view_config(route_name="confirm_withdrawal", request_method="POST", renderer=CONFIRM)
def confirm(request: Request) -> Page | Response:
    """Take the statement, acknowledge it by email, and give back what needs no decision."""
    found = _posted(request)
    if found is None:
        return HTTPSeeOther(request.route_path("withdraw"))
    wait = limits.use(request.registry, STATEMENTS, limits.network_of(request), request.now)
    if wait is not None:
        raise LimitReached(wait)
    account_id = request.account.id if request.account is not None else None
    with short_transaction(request.registry, write=True) as session:
        order = order_of(session, found.order_number, found.email, account_id)
        chosen = _chosen(request, order)
        if order is not None and len(order.lines) > 1 and not chosen:
            request.response.status_int = 422
            problem = _("Choose at least one item that you withdraw from.")
            return _statement_page(request, session, found) | {"problem": problem}
        made = replace(found, token=_token(found, chosen), positions=chosen)
        withdrawal, refunds = receive(request, session, made, account_id)
    _ask_provider(request, withdrawal, refunds)
    for key in (_NAME, _ORDER, _EMAIL, _TOKEN):
        request.visitor.pending.pop(key, None)
    request.visitor.pending[_MADE] = str(withdrawal.id)
    return HTTPSeeOther(request.route_path("withdrawal_received"))


def _ask_provider(request: Request, withdrawal: Withdrawal, refunds: list[str]) -> None:
    """Ask the provider for the refunds, and to close the page where the order could still be paid.

    Nothing is lost when that fails, or when half of the threads wait for the provider already. The
    refunds are committed, and the reconciler asks within minutes. Money that comes after a
    withdrawal goes back by itself.
    """
    try:
        with place_to_wait(request.registry):
            for refund_id in refunds:
                ask_for_refund(request, refund_id)
            if withdrawal.order_id is not None:
                close_payment_page(request, withdrawal.order_id, by=request.id)
    except ProviderError as problem:
        values = withdrawal.id, len(refunds), problem
        log.warning("provider not asked: withdrawal=%d refunds=%d problem=%s", *values)


@view_config(
    route_name="withdrawal_received",
    request_method="GET",
    renderer="shop/withdrawal_received.jinja2",
)
def received(request: Request) -> Page | Response:
    """Show what was received, and when."""
    made = int(request.visitor.pending.get(_MADE, "0"))
    withdrawal = request.dbsession.get(Withdrawal, made)
    if withdrawal is None or request.now - withdrawal.received_at > SHOWN_FOR:
        return HTTPSeeOther(request.route_path("withdraw"))
    lines = [] if withdrawal.order is None else withdrawal.order.lines
    chosen = [line.name for line in lines if line.position in withdrawal.positions]
    is_whole = len(chosen) == len(lines)
    address = withdrawal.order.buyer_email if withdrawal.order else withdrawal.email
    return {
        "withdrawal": withdrawal,
        "address": address,
        "items": [] if is_whole else chosen,
        "is_test": withdrawal.order is not None and withdrawal.order.is_test,
    }


def _statement(request: Request) -> Statement | None:
    """What the customer entered, None if nothing."""
    pending = request.visitor.pending
    if _TOKEN not in pending:
        return None
    return Statement(pending[_TOKEN], pending[_NAME], pending[_ORDER], pending[_EMAIL])


def _posted(request: Request) -> Statement | None:
    """The statement that the page with the button showed. None if somebody has altered it."""
    form = WithdrawalForm(request)
    if not form.validate():
        return None
    return Statement(
        token=request.POST.get("form", ""),
        name=form.name.data or "",
        order_number=read_order_number(form.order.data or "") or "",
        email=form.email.address.stored,
    )


def _chosen(request: Request, order: Order | None) -> frozenset[int]:
    """The lines of the order whose boxes are ticked."""
    lines = [] if order is None else order.lines
    return frozenset(line.position for line in lines if f"{LINE}{line.position}" in request.POST)


def _token(found: Statement, chosen: frozenset[int]) -> str:
    """The same for the same statement from the same form: a second press of the button is no second
    statement, and going back to choose other items is one.
    """
    content = found.token, found.name, found.order_number, found.email, sorted(chosen)
    return hashlib.sha256(repr(content).encode()).hexdigest()[:32]


def _statement_page(request: Request, session: Session, found: Statement) -> Page:
    account_id = request.account.id if request.account is not None else None
    order = order_of(session, found.order_number, found.email, account_id)
    seller = session.get(Seller, 1)
    return {
        "statement": found,
        "seller": seller.name if seller is not None else request.registry.pillarbox.site.name,
        "lines": list(order.lines) if order is not None else [],
        "is_test": order is not None and order.is_test,
    }
