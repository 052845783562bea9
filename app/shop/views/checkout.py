"""The checkout: the customer reviews the order, enters name and address, and goes on to pay."""

import logging
import secrets
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.i18n import formats
from app.shop.basket import PricedBasket, price_basket
from app.shop.checkout import last_order, place_order, placed_order
from app.shop.forms import CheckoutForm
from app.shop.models import Seller
from app.shop.payments.current_payment import current_payment
from app.shop.views.payment import redirect_to_provider
from app.web.translation import _

log = logging.getLogger(__name__)

Page = dict[str, Any]
TEMPLATE = "shop/checkout.jinja2"


@view_config(route_name="checkout", request_method="GET", permission=SIGNED_IN, renderer=TEMPLATE)
def checkout(request: Request) -> Page | Response:
    """Show what is about to be ordered, and the form for name and address."""
    if _is_closed(request):
        return _closed(request)
    session, visitor = request.dbsession, request.visitor
    if visitor.basket_id and placed_order(session, visitor.basket_id):
        # The customer came back from the payment page to change something or to order the same
        # again. Either becomes a new order, so the basket gets a new id.
        visitor.basket_id = secrets.token_urlsafe(16)
    basket = price_basket(session, visitor)
    if not basket.can_be_ordered:
        return HTTPSeeOther(request.route_path("basket"))
    last = last_order(session, request.account.id)
    form = CheckoutForm(
        request,
        basket=basket.id,
        seen=basket.fingerprint,
        name=last.buyer_name if last else "",
        address=last.buyer_address if last else "",
    )
    return {"basket": basket, "form": form}


@view_config(route_name="checkout", request_method="POST", permission=SIGNED_IN, renderer=TEMPLATE)
def order_and_pay(request: Request) -> Page | Response:
    """Place the order, once for each basket, and redirect to its payment."""
    if _is_closed(request):
        return _closed(request)
    form = CheckoutForm(request)
    # This short transaction commits the order before the provider is asked over the network.
    with short_transaction(request.registry, write=True) as session:
        order = placed_order(session, form.basket.data) if form.basket.data else None
        if order is None:
            basket = price_basket(session, request.visitor)
            if not basket.can_be_ordered:
                return HTTPSeeOther(request.route_path("basket"))
            if not form.validate() or not _saw_the_same_basket(form, basket):
                return {"basket": basket, "form": form}
            order = place_order(
                session,
                basket,
                request.account,
                name=form.name.data or "",
                address=form.address.data or "",
                site=request.registry.pillarbox.site,
                now=request.now,
            )
        if order.account_id != request.account.id:
            return HTTPSeeOther(request.route_path("checkout"))
        provider = request.registry.payment_provider
        payment = current_payment(session, order, provider.name, request.now)
    return redirect_to_provider(request, order, payment)


def _saw_the_same_basket(form: CheckoutForm, basket: PricedBasket) -> bool:
    """Whether the basket is what the customer saw. If not, prepare the page that says so."""
    if form.seen.data == basket.fingerprint:
        return True
    total = formats.money(basket.sums.total, basket.currency, form.request.locale_name)
    form.form_errors = [
        _(
            "Your basket or a price has changed since you opened this page, so nothing has been"
            " ordered. The total is now ${total}. Check your order, then place it again.",
            mapping={"total": total},
        )
    ]
    form.basket.data, form.seen.data = basket.id, basket.fingerprint
    form.request.response.status_int = 422
    return False


def _is_closed(request: Request) -> bool:
    """Whether there is no payment provider, or no seller for the receipt to name."""
    if request.registry.payment_provider is None:
        return True
    with short_transaction(request.registry, write=False) as session:
        if session.get(Seller, 1) is not None:
            return False
    log.error("checkout closed, because the table shop_seller has no row")
    return True


def _closed(request: Request) -> Response:
    request.response.status_int = 503
    return render_to_response(
        "shop/checkout_closed.jinja2", {}, request=request, response=request.response
    )
