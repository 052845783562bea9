"""Stripe takes the request for a session, and does not answer."""

import time
from pathlib import Path

import pytest
from webtest import TestApp

from tests.support.dying import ask
from tests.support.served_shop import served
from tests.support.shopping import BUYER, orders_in, put_into_basket, sign_in
from tests.support.stripe import FakeStripe

MOST_SECONDS = 10


@pytest.mark.long
@pytest.mark.usefixtures("sqlite_url")
def test_who_orders_while_stripe_hangs_keeps_the_order_and_pays_it_later(tmp_path: Path) -> None:
    with FakeStripe() as stripe, served(tmp_path, stripe.settings()) as (app, base_url):
        host = base_url.removeprefix("http://")
        port = int(host.rpartition(":")[2])
        customer = TestApp(app, extra_environ={"HTTP_HOST": host})
        database = app.registry.database
        sign_in(customer, database)
        put_into_basket(customer, "envelopes")
        form = customer.get("/checkout").forms[0]
        for name, value in BUYER.items():
            form[name] = value

        hanging = stripe.hang("POST /v1/checkout/sessions")
        begun = time.monotonic()
        page = ask(customer, port, "POST", "/checkout", form.submit_fields())
        waited = time.monotonic() - begun

        assert hanging.met == 2, "the library tries once more"
        assert waited <= MOST_SECONDS
        [order] = orders_in(database)
        assert page == f"{base_url}/orders/{order.number}"
        # Stripe goes on with what hung, so it makes a session that the shop knows nothing of.
        hanging.release()
        unpaid = customer.get(page)
        assert "Pay" in unpaid.forms[0].text

        url = unpaid.forms[0].submit(status=303).location

        [session] = stripe.sessions
        assert url == session["url"]
        stripe.pay(session["id"])
        assert "Your order is paid" in customer.get(f"{page}?returned=1").text
