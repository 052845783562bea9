"""Server and commands are killed with -9 at each step of paying and refunding. In the end there is
one charge, one refund, and one email of each (STANDARDS D1, D3, D5, D8).
"""

import http.client
import signal
import subprocess
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select, update
from webtest import TestApp

from app import configure
from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.shop.models import Document, Order, Payment, Refund
from tests.support.accounts import add_account, sign_in
from tests.support.ports import free_port, is_listening
from tests.support.relay import Relay, through
from tests.support.server_process import Process, pillarbox, running
from tests.support.shop_settings import shop_settings, write_ini
from tests.support.shopping import BUYER, put_into_basket, stock
from tests.support.stripe import FakeStripe
from tests.support.waiting import eventually

DEATH = """
import os, signal
import {module} as module
holder = {holder}
alive = holder.{name}
def deadly(*arguments, **named):
    if {acts_first}:
        alive(*arguments, **named)
    os.kill(os.getpid(), signal.SIGKILL)
holder.{name} = deadly
"""
"""Statements with which a process dies before it does something, or right after it."""


def death(module: str, name: str, *, after: bool, holder: str = "module") -> str:
    return DEATH.format(module=module, holder=holder, name=name, acts_first=after)


PROVIDER = "app.shop.payments.stripe", "module.StripeProvider"
AT_THE_TILL = {
    "before Stripe is asked": death(PROVIDER[0], "start", after=False, holder=PROVIDER[1]),
    "before the session is stored": death(PROVIDER[0], "start", after=True, holder=PROVIDER[1]),
    "after the session is stored": death("app.shop.views.payment", "start_payment", after=True),
}
ON_RETURN = {
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

    def ask(
        self, method: str, path: str, fields: list[tuple[str, str]] | None = None
    ) -> str | None:
        """One request of the customer to the server. Returns where the answer leads, or None when
        the server died.
        """
        cookies = "; ".join(f"{name}={value}" for name, value in self.customer.cookies.items())
        headers = {
            "Cookie": cookies,
            "Host": f"localhost:{self.port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        body = urllib.parse.urlencode(fields) if fields else None
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.headers.get("Location", "")
        except (http.client.RemoteDisconnected, ConnectionError):
            return None
        finally:
            connection.close()

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
@pytest.mark.parametrize("step", ON_RETURN)
def test_a_server_that_dies_on_the_customers_return_sends_one_receipt(
    shop: tuple[Shop, FakeStripe], relay: Relay, step: str
) -> None:
    shop_, stripe = shop
    with shop_.server():
        shop_.ask("POST", "/checkout", shop_.checkout_fields())
    [session] = stripe.sessions
    stripe.pay(session["id"])
    page = urllib.parse.urlsplit(session["success_url"])
    with shop_.server(ON_RETURN[step]) as process:
        assert shop_.ask("GET", f"{page.path}?{page.query}") is None
        process.wait(10)
    with shop_.server():
        # The customer has given up, and Stripe's event comes late.
        stripe.deliver_by_itself(f"http://127.0.0.1:{shop_.port}/webhooks/stripe")
        eventually(lambda: bool(relay.received), what="the receipt to arrive")
        assert_paid_once(shop_, stripe, relay)


REFUNDS = "app.shop.payments.refunds"
WHILE_REFUNDING = {
    "before Stripe is asked": death(PROVIDER[0], "refund", after=False, holder=PROVIDER[1]),
    "after Stripe has answered": death(PROVIDER[0], "refund", after=True, holder=PROVIDER[1]),
    "before the commit": death(REFUNDS, "settle_refund", after=True),
}
AT_ONCE = """
import datetime
import app.shop.payments.reconcile as reconcile
reconcile.YOUNGEST = datetime.timedelta(0)
"""
"""Statements with which the reconciler does not wait for a refund to be two minutes old."""


@pytest.mark.long
@pytest.mark.parametrize("step", WHILE_REFUNDING)
def test_a_command_that_dies_while_refunding_gives_back_once(
    shop: tuple[Shop, FakeStripe], relay: Relay, step: str
) -> None:
    shop_, stripe = shop
    with shop_.server():
        shop_.ask("POST", "/checkout", shop_.checkout_fields())
        [session] = stripe.sessions
        stripe.deliver_by_itself(f"http://127.0.0.1:{shop_.port}/webhooks/stripe")
        stripe.pay(session["id"])
        relay.wait_for(1)
        with shop_.database.transaction(write=False) as database_session:
            number = database_session.scalars(select(Order.number)).one()
    stripe.deliver_by_itself("http://127.0.0.1:9/nobody-listens-here")

    died = subprocess.run(
        pillarbox("refund", shop_.ini, number, setup=WHILE_REFUNDING[step]), timeout=60
    )
    assert died.returncode == -signal.SIGKILL
    # The next run of the reconciler dies at the same step, and the one after that does not.
    subprocess.run(
        pillarbox("reconcile", shop_.ini, setup=AT_ONCE + WHILE_REFUNDING[step]), timeout=60
    )
    with shop_.database.transaction(write=True) as database_session:
        database_session.execute(update(Refund).values(checked_at=None))
    for _ in range(2):
        subprocess.run(pillarbox("reconcile", shop_.ini, setup=AT_ONCE), timeout=60, check=True)

    assert len(stripe.refunds) == 1
    assert stripe.charges[0]["amount_refunded"] == 980
    with shop_.server():
        relay.wait_for(2)
    with shop_.database.transaction(write=False) as database_session:
        [refund] = database_session.scalars(select(Refund))
        documents = database_session.scalars(select(Document.number)).all()
        emails = database_session.scalars(
            select(OutboxEmail).where(OutboxEmail.kind == "refund_receipt")
        ).all()
    assert refund.state == "succeeded"
    assert sorted(documents) == [1, 2]
    assert len(emails) == 1
    assert len(relay.received) == 2
