"""What it takes to settle a payment: order, receipt number, document and email in one
transaction.
"""

import time
from statistics import median, quantiles

from app import configure
from app.accounts.models import Account
from app.shop.payments.asking import settle_result
from app.shop.payments.provider import PaymentOutcome, PaymentResult
from app.web.background import background_request
from benchmarks.databases import ENGINES, Databases
from benchmarks.table import Line, Section, number
from tests.support.accounts import ANNA, add_account
from tests.support.orders import place
from tests.support.shop_settings import shop_settings
from tests.support.shopping import add_product, stock

LINES = 5


def run(databases: Databases, *, quick: bool) -> Section:
    """Settle payments of orders with five lines, one after the other."""
    times = 3 if quick else 300
    lines = []
    for name in ENGINES:
        router = configure({}, shop_settings(databases.new(name))).make_wsgi_app()
        registry = router.registry
        stock(registry.database)
        with registry.database.transaction(write=True) as session:
            for product in range(LINES):
                tax_class = "reduced" if product % 2 else "standard"
                add_product(session, f"product-{product}", 1234 + product, tax_class=tax_class)
        add_account(registry.database, ANNA)
        with registry.database.transaction(write=False) as session:
            account = session.query(Account).one()
        basket = {f"product-{product}": product + 1 for product in range(LINES)}
        spent = []
        for turn in range(times + 1):
            payment = place(registry, account, basket, basket_id=f"basket-{turn}")
            result = PaymentResult(
                PaymentOutcome.PAID, payment.id, payment.amount, payment.currency, livemode=False
            )
            request = background_request(registry, "bench")
            begun = time.perf_counter()
            settle_result(request, payment.id, result, by="bench")
            spent.append((time.perf_counter() - begun) * 1000)
        # The first one compiles templates and statements.
        del spent[0]
        figures = [number(median(spent)), number(quantiles(spent, n=20)[-1])]
        lines.append(Line(name, figures))
        registry.database.dispose()
    return Section(
        f"Settle a payment, with a receipt of {LINES} lines as PDF and email",
        ["median ms", "p95 ms"],
        lines,
        "p95 <= 15 ms on SQLite",
    )
