"""Orders without a browser: placed as the checkout places them, and started at the provider."""

from collections.abc import Mapping

from pyramid.registry import Registry
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import Account
from app.shop.basket import price_basket
from app.shop.checkout import Buyer, place_order, taxed
from app.shop.models import Order, Payment, Seller
from app.shop.payments.asking import start_payment
from app.shop.payments.current_payment import current_payment
from app.shop.tax import rates_of
from app.web.background import background_request
from app.web.visitor import Visitor

ANNAS = Buyer("Anna Ödegård", "SE", "Storgatan 1\n111 22 Stockholm", starts_now=True)


def place(
    registry: Registry,
    account: Account,
    basket: Mapping[str, int],
    *,
    basket_id: str,
    buyer: Buyer = ANNAS,
) -> Payment:
    """Order these quantities of products by their slugs, and start the payment at the provider."""
    now = registry.clock()
    visitor = Visitor(basket_id=basket_id, basket=dict(basket))
    with registry.database.transaction(write=True) as session:
        seller = session.get_one(Seller, 1)
        priced = price_basket(session, visitor, account.locale)
        rates = rates_of(session, seller, now.date())
        lines = taxed(priced, rates, buyer.country)
        assert lines is not None, "something is not sold to this country"
        zone = registry.pillarbox.site.time_zone
        order = place_order(session, priced, lines, account, buyer, seller, now=now, zone=zone)
        payment = current_payment(session, order, registry.payment_provider, now)
    request = background_request(registry, "test")
    started = start_payment(request, payment)
    payment.session = started.session
    return payment


def order_of(session: Session, payment: Payment) -> Order:
    """The order that the payment is for."""
    return session.scalars(select(Order).where(Order.id == payment.order_id)).one()
