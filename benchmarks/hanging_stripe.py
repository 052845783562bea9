"""How long the catalogue takes while 20 customers are at the till and Stripe does not answer, and
with a Stripe that does; and how long the customers wait.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median, quantiles
from urllib.parse import urlencode

from sqlalchemy import select
from webtest import TestApp

from app import configure
from app.accounts.models import Account
from app.database.engine import Database
from app.shop.models import Payment
from benchmarks.databases import Databases
from benchmarks.processes import STARTING_SECONDS, Processes
from benchmarks.sign_ins import ask
from benchmarks.table import Line, Section, number, ratio
from tests.support.accounts import PASSWORD_HASH, add_account, sign_in
from tests.support.orders import place
from tests.support.ports import free_port, is_listening
from tests.support.server_process import pillarbox
from tests.support.shop_settings import shop_settings, write_ini
from tests.support.shopping import stock
from tests.support.stripe import FakeStripe
from tests.support.waiting import eventually

CUSTOMERS = 20
THINKING_SECONDS = 1.0


@dataclass
class Customer:
    """A customer with an order to pay, who presses the button again and again."""

    cookie: str
    path: str
    token: str

    def press(self, port: int) -> float:
        """Press the button, and return how many seconds the answer took."""
        headers = {
            "Cookie": self.cookie,
            "Content-Type": "application/x-www-form-urlencoded",
        }
        begun = time.perf_counter()
        response, _ = ask(port, "POST", self.path, urlencode({"csrf_token": self.token}), **headers)
        assert response.status == 303, response.status
        return time.perf_counter() - begun


def _customers(url: str, settings: dict[str, str], count: int) -> list[Customer]:
    application = configure({}, settings).make_wsgi_app()
    registry = application.registry
    stock(registry.database)
    customers = []
    for index in range(count):
        address = f"customer{index}@example.org"
        add_account(registry.database, address, password_hash=PASSWORD_HASH)
        browser = TestApp(application)
        sign_in(browser, address)
        with registry.database.transaction(write=False) as session:
            account = session.scalars(select(Account).where(Account.address == address)).one()
        payment = place(registry, account, {"envelopes": 1}, basket_id=f"basket-{index}")
        with registry.database.transaction(write=False) as session:
            path = f"/orders/{session.merge(payment).order.number}"
        page = browser.get(path)
        cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
        customers.append(Customer(cookie, path, page.forms[0]["csrf_token"].value))
    registry.database.dispose()
    return customers


def _forget_sessions(url: str) -> None:
    """Take the session from every second payment: its customer waits for Stripe to make one. The
    others wait for Stripe to look theirs up.
    """
    database = Database(url)
    with database.transaction(write=True) as session:
        for payment in session.scalars(select(Payment).order_by(Payment.id)).all()[::2]:
            payment.session = None
    database.dispose()


@contextmanager
def _at_the_till(customers: list[Customer], port: int) -> Iterator[list[float]]:
    """Let the customers press their buttons during the block. Yields how long they waited."""
    leaving = threading.Event()
    waited: list[float] = []

    def customer(one: Customer) -> None:
        while not leaving.is_set():
            waited.append(one.press(port))
            leaving.wait(THINKING_SECONDS)

    threads = [threading.Thread(target=customer, args=(one,)) for one in customers]
    for thread in threads:
        thread.start()
    try:
        yield waited
    finally:
        leaving.set()
        for thread in threads:
            thread.join()


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure one server, first with a Stripe that answers and then with one that hangs."""
    rounds, count = (3, 2) if quick else (300, CUSTOMERS)
    port, url = free_port(), databases.new("SQLite")
    taken: dict[str, list[float]] = {}
    waits: dict[str, list[float]] = {}
    with FakeStripe() as stripe:
        settings = shop_settings(url, base_url=f"http://localhost:{port}") | stripe.settings()
        customers = _customers(url, settings | {"site.base_url": "http://localhost"}, count)
        ini = write_ini(databases.folder / f"{port}.ini", settings, port=port, log_level="ERROR")
        with Processes(pillarbox("serve", ini), log=databases.folder / f"{port}.log") as server:

            def answers() -> bool:
                server.check()
                return is_listening(port)

            eventually(answers, STARTING_SECONDS, "the server to start")
            for how in ("answers", "hangs"):
                fault = None
                if how == "hangs":
                    _forget_sessions(url)
                    fault = stripe.hang("* /v1/checkout/*")
                with _at_the_till(customers, port) as waited:
                    time.sleep(0.1 if quick else 2)
                    taken[how] = _milliseconds(port, rounds)
                    if fault is not None:
                        time.sleep(0.1 if quick else 10)
                waits[how] = waited
                if fault is not None:
                    fault.drop()
    lines = []
    for how, each in taken.items():
        p95 = quantiles(each, n=20)[-1]
        healthy = quantiles(taken["answers"], n=20)[-1]
        figures = [number(median(each)), number(p95), ratio(p95 / healthy), number(max(waits[how]))]
        lines.append(Line(how, figures))
    return Section(
        f"GET / while {count} customers are at the till and Stripe ...",
        ["median ms", "p95 ms", "p95 ratio", "till, max s"],
        lines,
        "p95 hanging <= 1.1 x answering, and nobody at the till waits over 10 s",
    )


def _milliseconds(port: int, requests: int) -> list[float]:
    taken = []
    for _ in range(requests):
        begun = time.perf_counter()
        response, _page = ask(port, "GET", "/")
        taken.append((time.perf_counter() - begun) * 1000)
        assert response.status == 200, response.status
        time.sleep(0.02)
    return taken
