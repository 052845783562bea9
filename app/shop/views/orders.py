"""A customer's orders.

The payment provider sends the customer back to the page of the order.
"""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.i18n import formats
from app.shop.downloads import can_be_downloaded, waits
from app.shop.forms import START_NOW
from app.shop.models import Order, PaymentState
from app.shop.order_numbers import read_order_number
from app.shop.order_status import is_withdrawn, shown_payment, statuses_of
from app.shop.payments.asking import ASK_AGAIN
from app.shop.payments.refunds import refunds_of
from app.shop.receipt_emails import AGAIN, Again, ReceiptState, receipt_email, send_again
from app.shop.views.own_orders import number_of, own_order
from app.shop.views.payment import (
    allow_payment_page,
    redirect_to_payment,
    settle_pending,
)
from app.web import limits
from app.web.translation import _, tell

Page = dict[str, Any]

PAGE_SIZE = 20
"""How many orders the list shows at once."""


@view_config(
    route_name="orders", request_method="GET", permission=SIGNED_IN, renderer="shop/orders.jinja2"
)
def orders(request: Request) -> Page:
    """Show the latest orders of the customer, or those before the one with the number
    ``?before=``.
    """
    session = request.dbsession
    of_customer = select(Order).where(Order.account_id == request.account.id)
    if before := request.GET.get("before"):
        number = read_order_number(before)
        newer = session.scalars(of_customer.where(Order.number == number)).one_or_none()
        if newer is None:
            raise HTTPNotFound()
        of_customer = of_customer.where(Order.id < newer.id)
    found = session.scalars(
        of_customer.order_by(Order.id.desc())
        # One more than fits on the page tells whether there are older ones.
        .limit(PAGE_SIZE + 1)
        .options(
            selectinload(Order.lines), selectinload(Order.payments), selectinload(Order.documents)
        )
    ).all()
    shown = found[:PAGE_SIZE]
    return {
        "orders": shown,
        "statuses": statuses_of(session, shown),
        "is_first_page": not before,
        "older_than": shown[-1].number if len(found) > PAGE_SIZE else None,
    }


@view_config(
    route_name="order", request_method="GET", permission=SIGNED_IN, renderer="shop/order.jinja2"
)
def order(request: Request) -> Page:
    """Show one order. If its payment is pending, ask the provider first (STANDARDS D3)."""
    number = number_of(request)
    settle_pending(request, number)
    found = own_order(request, request.dbsession, number)
    if found.is_paid and found.basket_id == request.visitor.basket_id:
        request.visitor.empty_basket()
    allow_payment_page(request)
    payment = shown_payment(found)
    is_pending = payment is not None and payment.state == PaymentState.PENDING
    waits_for_provider = is_pending and request.GET.get("returned") == "1"
    if waits_for_provider:
        request.response.headers["Refresh"] = str(int(ASK_AGAIN.total_seconds()))
    return {
        "order": found,
        "payment": payment,
        "is_test": (payment or request.registry.payment_provider).is_test,
        "waits_for_provider": waits_for_provider,
        "is_withdrawn": is_withdrawn(found),
        "receipt": receipt_email(request.dbsession, found) if found.is_paid else None,
        "can_be_downloaded": can_be_downloaded,
        "downloads_wait": waits(found),
        "consent": START_NOW,
        "refunds": refunds_of(request.dbsession, found),
        "documents": {document.refund_id: document for document in found.documents},
    }


@view_config(route_name="order", request_method="POST", permission=SIGNED_IN)
def pay_order(request: Request) -> Response:
    """Redirect to the payment of an order that is not paid yet."""
    number = number_of(request)
    with short_transaction(request.registry, write=False) as session:
        found = own_order(request, session, number)
    if found.is_paid or is_withdrawn(found):
        return HTTPSeeOther(request.route_path("order", number=number))
    return redirect_to_payment(request, found.id)


@view_config(route_name="resend_receipt", request_method="POST", permission=SIGNED_IN)
def resend_receipt(request: Request) -> Response:
    """Send the receipt of a paid order again, a few times a day."""
    number = number_of(request)
    with short_transaction(request.registry, write=False) as session:
        found = own_order(request, session, number)
        if not found.is_paid:
            raise HTTPNotFound()
        receipt = receipt_email(session, found)
    is_under_way = receipt.state is ReceiptState.UNDER_WAY
    wait = None
    if not is_under_way:
        wait = limits.use(request.registry, AGAIN, str(found.id), request.now)
    if wait is not None:
        words = _("You have asked for this receipt ${count} times. Ask again in ${wait}.")
        tell(request, words, count=AGAIN.count, wait=formats.duration(wait, request.locale_name))
    else:
        with short_transaction(request.registry, write=True) as session:
            sent = send_again(request, session, own_order(request, session, number))
        stays = is_under_way or receipt.state is ReceiptState.UNCOMPOSED
        tell(request, _AGAIN[sent], address=receipt.address if stays else request.account.address)
    return HTTPSeeOther(request.route_path("order", number=number))


_AGAIN = {
    Again.QUEUED: _("Your receipt is on its way to ${address}."),
    Again.UNDER_WAY: _("Your receipt is already on its way to ${address}."),
    Again.UNCOMPOSED: _(
        "Your receipt could not be written, because of a fault of ours. We will send it as soon as"
        " we have corrected the fault."
    ),
}
