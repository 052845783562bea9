"""A customer's orders.

The payment provider sends the customer back to the page of the order.
"""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select

from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.i18n import formats
from app.shop.downloads import can_be_downloaded, waits
from app.shop.forms import START_NOW
from app.shop.models import Order, Payment, PaymentState
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
from app.web.translation import _

Page = dict[str, Any]


@view_config(
    route_name="orders", request_method="GET", permission=SIGNED_IN, renderer="shop/orders.jinja2"
)
def orders(request: Request) -> Page:
    """Show all orders of the customer, the latest first."""
    found = request.dbsession.scalars(
        select(Order)
        .where(Order.account_id == request.account.id)
        .order_by(Order.created_at.desc(), Order.id.desc())
    )
    return {"orders": found.all()}


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
    payment = _payment(found)
    is_pending = payment is not None and payment.state == PaymentState.PENDING
    waits_for_provider = is_pending and request.GET.get("returned") == "1"
    if waits_for_provider:
        request.response.headers["Refresh"] = str(int(ASK_AGAIN.total_seconds()))
    return {
        "order": found,
        "payment": payment,
        "is_test": (payment or request.registry.payment_provider).is_test,
        "waits_for_provider": waits_for_provider,
        "is_withdrawn": all(line.closed_at for line in found.lines),
        "receipt": receipt_email(request.dbsession, found) if found.is_paid else None,
        "can_be_downloaded": can_be_downloaded,
        "downloads_wait": waits(found),
        "consent": START_NOW,
        "refunds": refunds_of(request.dbsession, found),
        "documents": {document.refund_id: document for document in found.documents},
    }


def _payment(order: Order) -> Payment | None:
    """The payment that the page is about: the one that paid the order, else the latest one. None
    when the server died before it made one.
    """
    paid = [payment for payment in order.payments if payment.state == PaymentState.PAID]
    return next(reversed(paid or order.payments), None)


@view_config(route_name="order", request_method="POST", permission=SIGNED_IN)
def pay_order(request: Request) -> Response:
    """Redirect to the payment of an order that is not paid yet."""
    number = number_of(request)
    with short_transaction(request.registry, write=False) as session:
        found = own_order(request, session, number)
    is_withdrawn = all(line.closed_at for line in found.lines)
    if found.is_paid or is_withdrawn:
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
        duration = formats.duration(wait, request.locale_name)
        words = _(
            "You have asked for this receipt ${count} times. Ask again in ${wait}.",
            mapping={"count": AGAIN.count, "wait": duration},
        )
    else:
        with short_transaction(request.registry, write=True) as session:
            words = _AGAIN[send_again(request, session, own_order(request, session, number))]
    stays = is_under_way or receipt.state is ReceiptState.UNCOMPOSED
    address = {"address": receipt.address if stays else request.account.address}
    request.visitor.tell(
        request.localizer.translate(words, mapping=None if wait is not None else address)
    )
    return HTTPSeeOther(request.route_path("order", number=number))


_AGAIN = {
    Again.QUEUED: _("Your receipt is on its way to ${address}."),
    Again.UNDER_WAY: _("Your receipt is already on its way to ${address}."),
    Again.UNCOMPOSED: _(
        "Your receipt could not be written, because of a fault of ours. We will send it as soon as"
        " we have corrected the fault."
    ),
}
