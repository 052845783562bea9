"""The checkout: the customer reviews the order, enters name and country, and goes on to pay."""

import logging
import secrets
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.renderers import render_to_response
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy.orm import Session

from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.i18n import formats
from app.shop.basket import PricedBasket, price_basket
from app.shop.checkout import Buyer, in_language, last_order, place_order, placed_order, taxed
from app.shop.currencies import LEAST_CHARGE, MOST_CHARGE, can_be_charged
from app.shop.forms import CheckoutForm
from app.shop.models import Seller
from app.shop.payments.provider import PaymentProvider
from app.shop.tax import TaxRates, rates_of
from app.shop.views.payment import allow_payment_page, redirect_to_payment
from app.web.translation import _, tell

log = logging.getLogger(__name__)

Page = dict[str, Any]
TEMPLATE = "shop/checkout.jinja2"


@view_config(route_name="checkout", request_method="GET", permission=SIGNED_IN, renderer=TEMPLATE)
def checkout(request: Request) -> Page | Response:
    """Show what is about to be ordered, and the form for the buyer's details."""
    session, visitor = request.dbsession, request.visitor
    seller = session.get(Seller, 1)
    if seller is None:
        return _closed(request)
    if visitor.basket_id and placed_order(session, visitor.basket_id):
        # The customer came back from the payment page to change something or to order the same
        # again. Either becomes a new order, so the basket gets a new id.
        visitor.basket_id = secrets.token_urlsafe(16)
    basket = price_basket(session, visitor, request.locale_name)
    if not basket.can_be_ordered:
        return HTTPSeeOther(request.route_path("basket"))
    if _is_closed(request, basket):
        return _closed(request)
    last = last_order(session, request.account.id)
    form = CheckoutForm(
        request,
        basket=basket.id,
        seen=basket.fingerprint,
        name=last.buyer_name if last else "",
        address=last.buyer_address if last else "",
    )
    countries = _rates(request, session, seller).countries(basket.tax_classes)
    if not countries:
        return _sold_nowhere(request)
    form.offer_countries(countries, [last.buyer_country if last else "", seller.country])
    return _page(request, seller, basket, form)


@view_config(route_name="checkout", request_method="POST", permission=SIGNED_IN, renderer=TEMPLATE)
def order_and_pay(request: Request) -> Page | Response:
    """Place the order, once for each basket, and redirect to its payment."""
    form = CheckoutForm(request)
    # This short transaction commits the order before the provider is asked over the network.
    with short_transaction(request.registry, write=True) as session:
        seller = session.get(Seller, 1)
        if seller is None:
            return _closed(request)
        order = placed_order(session, form.basket.data) if form.basket.data else None
        if order is None:
            basket = price_basket(session, request.visitor, request.locale_name)
            if not basket.can_be_ordered:
                return HTTPSeeOther(request.route_path("basket"))
            if _is_closed(request, basket):
                return _closed(request)
            rates = _rates(request, session, seller)
            countries = rates.countries(basket.tax_classes)
            if not countries:
                return _sold_nowhere(request)
            form.offer_countries(countries, [])
            lines = None
            if (
                form.validate()
                and _saw_the_same_basket(form, basket)
                and _can_be_paid(form, basket)
            ):
                lines = taxed(basket, rates, form.country.data)
            if lines is None:
                return _page(request, seller, basket, form)
            order = place_order(
                session,
                basket,
                lines,
                request.account,
                Buyer(
                    name=form.name.data or "",
                    country=form.country.data,
                    address=form.address.data or "",
                    starts_now=form.start_now.data,
                ),
                seller,
                now=request.now,
                zone=request.registry.pillarbox.site.time_zone,
            )
        if order.account_id != request.account.id:
            return HTTPSeeOther(request.route_path("checkout"))
    return redirect_to_payment(request, order.id)


def _page(request: Request, seller: Seller, basket: PricedBasket, form: CheckoutForm) -> Page:
    allow_payment_page(request)
    # The order keeps these texts in the customer's language, which need not be the page's.
    locale = request.account.locale
    return {
        "basket": basket,
        "form": form,
        "terms": in_language(seller.terms, locale),
        "vat_sentence": in_language(seller.vat_sentence, locale) if seller.is_exempt else "",
    }


def _rates(request: Request, session: Session, seller: Seller) -> TaxRates:
    zone = request.registry.pillarbox.site.time_zone
    return rates_of(session, seller, request.now.astimezone(zone).date())


def _sold_nowhere(request: Request) -> HTTPSeeOther:
    """Send the customer to the basket, which holds products that no country has all rates for."""
    message = _(
        "We cannot sell these products together. Remove one of them, and order it separately."
    )
    tell(request, message)
    return HTTPSeeOther(request.route_path("basket"))


def _saw_the_same_basket(form: CheckoutForm, basket: PricedBasket) -> bool:
    """Whether the basket is what the customer saw. If not, prepare the page that says so."""
    if form.seen.data == basket.fingerprint:
        return True
    total = formats.money(basket.total, basket.currency, form.request.locale_name)
    form.basket.data, form.seen.data = basket.id, basket.fingerprint
    return _refuse(
        form,
        _(
            "Your basket or a price has changed since you opened this page, so nothing has been"
            " ordered. The total is now ${total}. Check your order, then place it again.",
            mapping={"total": total},
        ),
    )


def _can_be_paid(form: CheckoutForm, basket: PricedBasket) -> bool:
    """Whether a provider takes this amount. If not, prepare the page that says so."""
    if can_be_charged(basket.total, basket.currency):
        return True
    locale = form.request.locale_name
    least = formats.money(LEAST_CHARGE[basket.currency], basket.currency, locale)
    most = formats.money(MOST_CHARGE, basket.currency, locale)
    if basket.total < LEAST_CHARGE[basket.currency]:
        return _refuse(
            form,
            _(
                "The smallest amount that can be paid is ${least}. Add something to your basket.",
                mapping={"least": least},
            ),
        )
    return _refuse(
        form,
        _(
            "The largest amount that can be paid at once is ${most}. Place two orders instead.",
            mapping={"most": most},
        ),
    )


def _refuse(form: CheckoutForm, problem: str) -> bool:
    form.form_errors = [problem]
    form.request.response.status_int = 422
    return False


def _is_closed(request: Request, basket: PricedBasket) -> bool:
    """Whether the basket costs something, and no payment can be started now."""
    provider: PaymentProvider = request.registry.payment_provider
    return basket.total > 0 and not provider.is_open


def _closed(request: Request) -> Response:
    log.error("checkout closed: the provider refuses the key, or the shop has no seller")
    request.response.status_int = 503
    return render_to_response(
        "shop/checkout_closed.jinja2", {}, request=request, response=request.response
    )
