"""How to get to the pages of the shop of ``tests.support.every_page``: what comes before a page."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from sqlalchemy import select, update

from app.accounts.models import Account
from app.shop.models import Order, Payment, Product
from app.shop.payments.test import RememberedPayment
from app.shop.views.orders import PAGE_SIZE
from app.shop.views.withdrawal import STATEMENTS
from tests.support import shopping
from tests.support.orders import place
from tests.support.page_states import Prepare
from tests.support.visit import Visit

FAILS_LATER = 2
LONG_NAME = "Adolph Blaine Charles David Earl Frederick Gerald Hubert Wolfeschlegelsteinhausen"


def buying(path: str, *slugs: str) -> Prepare:
    """The path, for a customer with these products in the basket."""

    def prepare(visit: Visit) -> str:
        visit.sign_in()
        for slug in slugs:
            shopping.put_into_basket(visit.browser, slug, 99)
        return path

    return prepare


def ordered(press: int | None = None) -> Prepare:
    """The page of an order. ``press`` is the button of the test payment: 0 pays, 1 pays later, and
    2 fails later. The wait for the failure is over.
    """

    def prepare(visit: Visit) -> str:
        visit.sign_in()
        shopping.put_into_basket(visit.browser, "sealing-wax", 99)
        shopping.put_into_basket(visit.browser, "letters-to-nobody")
        page = shopping.order(visit.browser, name=LONG_NAME).follow()
        order = page.html.select(".facts dd")[1].get_text()
        if press is not None:
            order_page = page.forms[press].submit()
            if press == FAILS_LATER:
                _end_the_wait(visit)
            order_page.follow()
        return f"/orders/{order}"

    return prepare


def _end_the_wait(visit: Visit) -> None:
    with visit.registry.database.transaction(write=True) as session:
        session.execute(
            update(RememberedPayment)
            .where(RememberedPayment.settles_at.is_not(None))
            .values(settles_at=visit.now)
        )


def with_payment(**values: Any) -> Prepare:
    """The page of an order whose payment has these values."""

    def prepare(visit: Visit) -> str:
        path = ordered()(visit)
        order = select(Order.id).where(Order.number == path.rpartition("/")[2]).scalar_subquery()
        with visit.registry.database.transaction(write=True) as session:
            session.execute(update(Payment).where(Payment.order_id == order).values(**values))
        return path

    return prepare


def waiting_for_provider(visit: Visit) -> str:
    """The page that asks the provider again. It does not load itself again meanwhile."""
    visit.during.enter_context(patch("app.shop.views.orders.ASK_AGAIN", timedelta(days=1)))
    return f"{ordered()(visit)}?returned=1"


def receipt_again(visit: Visit) -> str:
    path = ordered(0)(visit)
    visit.browser.get(path).forms[0].submit()
    return path


def stating(*, is_made: bool = False, is_unknown: bool = False) -> Prepare:
    """The page with the statement of a withdrawal from an order of two lines, or the page after
    it. An unknown order has no lines to choose from.
    """

    def prepare(visit: Visit) -> str:
        path = "" if is_unknown else ordered(0)(visit)
        number = path.rpartition("/")[2] or "0000-0000-0000"
        form = visit.browser.get(f"/withdraw?order={number}").forms[0]
        form["name"], form["order"], form["email"] = LONG_NAME, number, visit.address
        page = form.submit().follow()
        if is_made:
            page.forms[0].submit()
            return "/withdraw/received"
        return "/withdraw/confirm"

    return prepare


def stated_too_often(visit: Visit) -> str:
    visit.use_up(STATEMENTS)
    return stating()(visit)


def withdrawing(visit: Visit) -> str:
    """The form to withdraw, from the customer's own order."""
    return f"/withdraw?order={ordered(0)(visit).rpartition('/')[2]}"


def withdrawn(press: int | None = 0, *, keeps_one: bool = False) -> Prepare:
    """The page of an order that its customer withdrew from. ``press`` is that of ``ordered``;
    ``keeps_one`` leaves the first line out.
    """

    def prepare(visit: Visit) -> str:
        path = ordered(press)(visit)
        number = path.rpartition("/")[2]
        form = visit.browser.get("/withdraw").forms[0]
        form["name"], form["order"], form["email"] = LONG_NAME, number, visit.address
        statement = form.submit().follow().forms[0]
        statement["line-0"].checked = not keeps_one
        statement.submit()
        return path

    return prepare


def with_orders(visit: Visit) -> str:
    """The list of orders: a page full, and more. Their payments have come to different ends."""
    ordered(0)(visit)
    with visit.registry.database.transaction(write=False) as session:
        account = session.get_one(Account, visit.account_id)
    states = ["failed", "held", "processing"]
    for number in range(PAGE_SIZE):
        basket = {"envelopes": 99, "letters-to-nobody": 99}
        payment = place(visit.registry, account, basket, basket_id=secrets.token_hex(16))
        with visit.registry.database.transaction(write=True) as session:
            state = states[number % len(states)]
            session.get_one(Payment, payment.id).state = state
    return "/orders"


def without_older_orders(visit: Visit) -> str:
    number = ordered(0)(visit).rpartition("/")[2]
    return f"/orders?before={number}"


def gone_from_the_basket(visit: Visit) -> str:
    for slug in ("sealing-wax", "postcards"):
        shopping.put_into_basket(visit.browser, slug)
    visit.during.enter_context(_not_sold(visit, "postcards"))
    return "/basket"


def not_sold_any_more(visit: Visit) -> str:
    visit.during.enter_context(_not_sold(visit, "postcards"))
    return "/products/postcards"


@contextmanager
def _not_sold(visit: Visit, slug: str) -> Iterator[None]:
    for is_available in (False, True):
        with visit.registry.database.transaction(write=True) as session:
            session.execute(
                update(Product).where(Product.slug == slug).values(is_available=is_available)
            )
        if not is_available:
            yield


def tab_closed(visit: Visit) -> str:
    visit.sign_in()
    shopping.put_into_basket(visit.browser, "sealing-wax")
    page = shopping.order(visit.browser).follow()
    return shopping.decide(page, "close").location


def checkout_closed(visit: Visit) -> str:
    visit.during.enter_context(patch.object(visit.registry.payment_provider, "is_open", False))
    return buying("/checkout", "envelopes")(visit)
