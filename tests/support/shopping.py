"""What customers do in the shop: sign in, fill the basket, order and pay. ``stock`` fills the shop
first.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

from pyramid.registry import Registry
from sqlalchemy import select
from sqlalchemy.orm import Session
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.shop.models import Document, File, Order, Payment, Product, ProductText
from tests.support import accounts
from tests.support.accounts import ANNA, add_account
from tests.support.clock import Clock
from tests.support.sample_catalogue import add_sample_catalogue

BUYER = {"name": "Anna Ödegård", "country": "SE", "address": "Storgatan 1\n111 22 Stockholm"}


def stock(database: Database, files: Path | None = None) -> None:
    """Fill the shop with the sample products; with ``files``, the shop's folder, with their
    pictures as well.
    """
    with database.transaction(write=True) as session:
        add_sample_catalogue(session, files)


def fill_files(registry: Registry, content: bytes) -> None:
    """Put every file that the shop knows into its folder, all with the same content."""
    files: Path = registry.pillarbox.shop.files
    files.mkdir(exist_ok=True)
    with registry.database.transaction(write=True) as session:
        for file in session.scalars(select(File)):
            (files / file.sha256).write_bytes(content)
            file.size = len(content)


def add_product(
    session: Session, slug: str, price: int, *, tax_class: str = "standard", name: str = ""
) -> Product:
    """Sell one more product. Its file is not there."""
    digest = sha256(slug.encode()).hexdigest()
    session.add(File(sha256=digest, size=1, created_at=datetime.now(UTC)))
    session.flush()
    text = ProductText(locale="en", position=0, name=name or slug, description=".", format="PDF")
    product = Product(
        slug=slug,
        price=price,
        tax_class=tax_class,
        file_sha256=digest,
        file_name=f"{slug}.pdf",
        texts=[text],
    )
    session.add(product)
    session.flush()
    return product


def sign_in(browser: TestApp, database: Database, address: str = ANNA) -> None:
    """Give the address an account, and sign the browser in to it."""
    add_account(database, address)
    assert accounts.sign_in(browser, address).status_int == 303


def put_into_basket(browser: TestApp, slug: str, quantity: int | str = 1) -> TestResponse:
    """Fill in and send the form of a product page."""
    form = browser.get(f"/products/{slug}").forms[0]
    form["quantity"] = str(quantity)
    return form.submit(expect_errors=True)


def order(browser: TestApp, **buyer: str) -> TestResponse:
    """Fill in and send the checkout's form."""
    form = browser.get("/checkout").forms[0]
    for name, value in (BUYER | buyer).items():
        form[name] = value
    return form.submit(expect_errors=True)


def buy(browser: TestApp, *slugs: str) -> TestResponse:
    """Go from the product page to the page of the paid order, and return that page."""
    for slug in slugs or ("letter-paper",):
        put_into_basket(browser, slug)
    payment_page = order(browser).follow()
    return payment_page.forms[0].submit().follow()


def decide(payment_page: TestResponse, decision: str) -> TestResponse:
    """Press the button of the test provider's page that sends this decision."""
    [form] = [
        form
        for key, form in payment_page.forms.items()
        if isinstance(key, int) and "decision" in form.fields and form["decision"].value == decision
    ]
    return form.submit(expect_errors=True)


def fail(payment_page: TestResponse, clock: Clock) -> TestResponse:
    """Pay with a debit that fails, wait until it has, and return the order's page."""
    order_page = decide(payment_page, "fail_later")
    clock.advance(timedelta(minutes=1))
    return order_page.follow()


def orders_in(database: Database) -> list[Order]:
    """Every order, the first one first."""
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Order).order_by(Order.id)))


def payments_in(database: Database) -> list[Payment]:
    """Every payment, the first attempts first."""
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Payment).order_by(Payment.attempt)))


def receipts_in(database: Database) -> list[Document]:
    """Every document."""
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Document)))
