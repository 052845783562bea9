"""Many orders are paid at once. The webhook tells of each three times, the customer comes back, and
the reconciler asks too, in four processes: every order gets one receipt and one email (STANDARDS
D3).
"""

import http.client
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue

import pytest
from sqlalchemy import func, select
from webtest import TestApp

from app import configure
from app.accounts.models import Account
from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.shop.models import Document, Order
from tests.support.accounts import ANNA, add_account, sign_in
from tests.support.orders import place
from tests.support.ports import free_port, is_listening
from tests.support.server_process import pillarbox, running, start
from tests.support.shop_settings import shop_settings, write_ini
from tests.support.shopping import stock
from tests.support.stripe import FakeStripe

SERVERS = 4
CLIENTS = 8

Ask = tuple[str, str, bytes, dict[str, str]]
"""Method, path, body and headers of a request."""


@contextmanager
def servers(tmp_path: Path, values: dict[str, str]) -> Iterator[list[int]]:
    """The ports of four servers on one database."""
    with ExitStack() as stack:
        ports = []
        for number in range(SERVERS):
            port = free_port()
            ini = write_ini(tmp_path / f"{number}.ini", values, port=port, log_level="WARNING")
            command, log = pillarbox("serve", ini), tmp_path / f"{number}.log"
            stack.enter_context(running(command, log, lambda port=port: is_listening(port)))
            ports.append(port)
        yield ports


def send_all(ports: list[int], asks: list[Ask]) -> list[int]:
    """Send the requests over several connections to all servers, and return the statuses."""
    waiting: SimpleQueue[Ask] = SimpleQueue()
    for ask in asks:
        waiting.put(ask)
    statuses: list[int] = []

    def client(port: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        with closing(connection):
            answer_all(connection)

    def answer_all(connection: http.client.HTTPConnection) -> None:
        while True:
            try:
                ask = waiting.get_nowait()
            except Empty:
                return
            # A server that has no place to wait for Stripe answers 500. Then Stripe tells it again.
            for _ in range(200):
                connection.request(*ask)
                answer = connection.getresponse()
                answer.read()
                if answer.status != 500:
                    break
            statuses.append(answer.status)

    clients = [
        threading.Thread(target=client, args=(ports[number % SERVERS],))
        for number in range(CLIENTS)
    ]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    return statuses


@pytest.mark.long
@pytest.mark.parametrize(("engine", "orders"), [("sqlite", 20), ("postgresql", 150)])
def test_every_order_has_one_receipt_and_one_email(
    tmp_path: Path, request: pytest.FixtureRequest, engine: str, orders: int
) -> None:
    url = request.getfixturevalue(f"{engine}_url")
    with FakeStripe() as stripe:
        values = shop_settings(url) | stripe.settings() | {"email.delivery": "worker"}
        app = configure({}, values).make_wsgi_app()
        registry = app.registry
        database: Database = registry.database
        stock(database)
        add_account(database)
        with database.transaction(write=False) as session:
            account = session.scalars(select(Account)).one()
        browser = TestApp(app)
        sign_in(browser, ANNA)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        for number in range(orders):
            place(registry, account, {"envelopes": number % 9 + 1}, basket_id=f"basket-{number}")
        for session_of_stripe in stripe.sessions:
            stripe.pay(session_of_stripe["id"])
        with database.transaction(write=False) as session:
            numbers = session.scalars(select(Order.number)).all()

        asks: list[Ask] = []
        events = [e for e in stripe.events if e["type"] == "checkout.session.completed"]
        for event, number in zip(events, numbers, strict=True):
            body, headers = stripe.signed(event)
            webhook: Ask = ("POST", "/webhooks/stripe", body, {"Host": "localhost", **headers})
            page = f"/orders/{number}?returned=1"
            returned: Ask = ("GET", page, b"", {"Host": "localhost", "Cookie": cookie})
            asks += [webhook, returned, webhook, webhook]
        with servers(tmp_path, values) as ports, ExitStack() as stack:
            for number in range(2):
                command = pillarbox("reconcile", tmp_path / f"{number}.ini")
                reconciler = start(command, tmp_path / f"reconciler-{number}.log")
                stack.callback(reconciler.wait, 120)
            statuses = send_all(ports, asks)

        assert set(statuses) == {200}
        assert len(statuses) == 4 * orders
        with database.transaction(write=False) as session:
            documents = session.scalars(select(Document).order_by(Document.number)).all()
            emails = session.scalar(
                select(func.count()).where(OutboxEmail.kind == "purchase_receipt")
            )
            paid = session.scalar(select(func.count()).where(Order.state == "paid"))
        assert [document.number for document in documents] == list(range(1, orders + 1))
        assert len({document.order_id for document in documents}) == orders
        assert (paid, emails) == (orders, orders)
        database.dispose()
    for log in tmp_path.glob("*.log"):
        assert "Traceback" not in log.read_text(), log.read_text()[-3000:]
