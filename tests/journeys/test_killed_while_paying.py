"""The server is killed with -9 at each step of paying, and in the webhook. In the end there is one
charge, one receipt number and one email (STANDARDS D1, D3, D5).
"""

import urllib.parse
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select
from webtest import TestApp

from app import configure
from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.shop.models import Document, Order, Payment
from app.shop.payments.reconcile import reconcile
from tests.support.accounts import add_account, sign_in
from tests.support.dying import ask, death
from tests.support.ports import free_port, is_listening
from tests.support.relay import Relay, through
from tests.support.server_process import Process, pillarbox, running
from tests.support.shop_settings import shop_settings, write_ini
from tests.support.shopping import BUYER, put_into_basket, stock
from tests.support.stripe import FakeStripe, post_to
from tests.support.waiting import eventually
from tests.support.workers import Hire

PROVIDER = "app.shop.payments.stripe", "module.StripeProvider"
AT_THE_TILL = {
    "before Stripe is asked": death(PROVIDER[0], "start", after=False, holder=PROVIDER[1]),
    "before the session is stored": death(PROVIDER[0], "start", after=True, holder=PROVIDER[1]),
    "after the session is stored": death("app.shop.views.payment", "start_payment", after=True),
}
WHILE_SETTLING = {
    "before Stripe is asked": death(PROVIDER[0], "fetch", after=False, holder=PROVIDER[1]),
    "after Stripe has answered": death(PROVIDER[0], "fetch", after=True, holder=PROVIDER[1]),
    "with a number and no email": death("app.shop.payments.settle", "issue", after=True),
    "before the commit": death("app.shop.payments.asking", "settle", after=True),
    "after the commit": death("app.shop.payments.asking", "settle_result", after=True),
}


class Shop:
    """A shop with Stripe and a relay, its customer, and servers that can be killed."""

    def __init__(self, tmp_path: Path, url: str, stripe: FakeStripe, relay: Relay) -> None:
        self.port = free_port()
        values = shop_settings(url, base_url=f"http://localhost:{self.port}")
        values |= stripe.settings() | through(relay)
        self.ini = write_ini(tmp_path / "shop.ini", values, port=self.port, log_level="INFO")
        self.app = configure({}, values).make_wsgi_app()
        self.database: Database = self.app.registry.database
        stock(self.database)
        add_account(self.database)
        self.customer = TestApp(self.app, extra_environ={"HTTP_HOST": f"localhost:{self.port}"})
        sign_in(self.customer)
        put_into_basket(self.customer, "envelopes")

    @contextmanager
    def server(self, setup: str = "") -> Iterator[Process]:
        """A server in a process of its own, which runs the statements of ``setup`` first."""
        command = pillarbox("serve", self.ini, setup=setup)
        log = self.ini.with_suffix(".log")
        with running(command, log, lambda: is_listening(self.port)) as process:
            yield process

    def ask(self, method: str, path: str, fields: Iterable[tuple[str, str]] = ()) -> str | None:
        """One request of the customer to the server. Returns where the answer leads, or None when
        the server died.
        """
        return ask(self.customer, self.port, method, path, fields)

    def take_event(self, body: bytes, headers: dict[str, str]) -> int:
        """Post an event of Stripe to the application of this process, and return the status."""
        return int(self.customer.post("/webhooks/stripe", body, headers).status_int)

    def checkout_fields(self) -> list[tuple[str, str]]:
        form = self.customer.get("/checkout").forms[0]
        for name, value in BUYER.items():
            form[name] = value
        return list(form.submit_fields())


@pytest.fixture
def shop(tmp_path: Path, database_url: str, relay: Relay) -> Iterator[tuple[Shop, FakeStripe]]:
    with FakeStripe() as stripe:
        shop = Shop(tmp_path, database_url, stripe, relay)
        yield shop, stripe
        shop.database.dispose()


def assert_paid_once(shop: Shop, stripe: FakeStripe, relay: Relay) -> None:
    relay.wait_for(1)
    with shop.database.transaction(write=False) as session:
        [order] = session.scalars(select(Order))
        [document] = session.scalars(select(Document))
        receipts = session.scalars(
            select(OutboxEmail).where(OutboxEmail.kind == "purchase_receipt")
        ).all()
        paid = session.scalars(select(Payment).where(Payment.state == "paid")).all()
    assert order.is_paid
    assert document.number == 1
    assert len(receipts) == len(paid) == 1
    assert len([charge for charge in stripe.charges if charge["paid"]]) == 1
    assert len(relay.received) == 1


@pytest.mark.long
@pytest.mark.parametrize("step", AT_THE_TILL)
def test_a_server_that_dies_at_the_till_charges_once(
    shop: tuple[Shop, FakeStripe], relay: Relay, step: str
) -> None:
    shop_, stripe = shop
    fields = shop_.checkout_fields()
    with shop_.server(AT_THE_TILL[step]) as process:
        assert shop_.ask("POST", "/checkout", fields) is None
        process.wait(10)
    with shop_.server():
        # The customer presses the button again.
        page = shop_.ask("POST", "/checkout", fields)
        [session] = stripe.sessions
        assert page == session["url"]
        stripe.deliver_by_itself(f"http://127.0.0.1:{shop_.port}/webhooks/stripe")
        stripe.pay(session["id"])
        assert_paid_once(shop_, stripe, relay)


@pytest.mark.long
@pytest.mark.parametrize("step", WHILE_SETTLING)
def test_a_server_that_dies_on_the_customers_return_sends_one_receipt(
    shop: tuple[Shop, FakeStripe], relay: Relay, step: str
) -> None:
    shop_, stripe = shop
    with shop_.server():
        shop_.ask("POST", "/checkout", shop_.checkout_fields())
    [session] = stripe.sessions
    stripe.pay(session["id"])
    page = urllib.parse.urlsplit(session["success_url"])
    with shop_.server(WHILE_SETTLING[step]) as process:
        assert shop_.ask("GET", f"{page.path}?{page.query}") is None
        process.wait(10)
    with shop_.server():
        # The customer has given up, and Stripe's event comes late.
        stripe.deliver_by_itself(f"http://127.0.0.1:{shop_.port}/webhooks/stripe")
        eventually(lambda: bool(relay.received), what="the receipt to arrive")
        assert_paid_once(shop_, stripe, relay)


@pytest.mark.long
@pytest.mark.parametrize(
    ("database_url", "step"),
    [
        *(("sqlite", step) for step in WHILE_SETTLING),
        ("postgresql", "before the commit"),
    ],
    indirect=["database_url"],
)
def test_a_server_that_dies_in_the_webhook_sends_one_receipt(
    shop: tuple[Shop, FakeStripe], relay: Relay, hire: Hire, step: str
) -> None:
    shop_, stripe = shop
    shop_.customer.post("/checkout", shop_.checkout_fields(), status=303)
    # The server's own reconciler then leaves this payment to the webhook.
    reconcile(shop_.app.registry)
    [session] = stripe.sessions
    stripe.pay(session["id"])
    with shop_.server(WHILE_SETTLING[step]) as process:
        statuses = stripe.deliver(post_to(f"http://127.0.0.1:{shop_.port}/webhooks/stripe"))
        assert 0 in statuses
        process.wait(10)
    # Stripe tries again, and gets an answer.
    assert set(stripe.deliver(shop_.take_event, times=2)) == {200}
    hire(shop_.app).run_once()
    assert_paid_once(shop_, stripe, relay)
