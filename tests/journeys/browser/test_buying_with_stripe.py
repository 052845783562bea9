"""Paying on Stripe's page in a real browser, with and without JavaScript: what customers do with
buttons, tabs and the way back changes neither what they pay nor how many emails they get.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pyramid.router import Router
from sqlalchemy import func, select

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.shop.models import Document, Order, Payment
from tests.support.accounts import PASSWORD, add_account
from tests.support.chromium import OpenPage
from tests.support.served_shop import served
from tests.support.stripe import FakeStripe
from tests.support.waiting import eventually

WITH_AND_WITHOUT = pytest.mark.parametrize(
    "javascript", [True, False], ids=["with-script", "without-script"]
)
PAYS = re.compile("Order and pay")


@pytest.fixture(scope="module")
def stripe() -> Iterator[FakeStripe]:
    with FakeStripe() as stripe:
        yield stripe


@pytest.fixture(scope="module")
def shop(
    tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path, stripe: FakeStripe
) -> Iterator[tuple[Router, str]]:
    """The shop with Stripe, which tells it of every event."""
    folder = tmp_path_factory.mktemp("stripe-shop")
    shutil.copy(migrated_sqlite, folder / "pillarbox.sqlite")
    with served(folder, stripe.settings()) as (application, base_url):
        stripe.deliver_by_itself(f"{base_url}/webhooks/stripe")
        yield application, base_url


@pytest.fixture(scope="module")
def other_sites(stripe: FakeStripe) -> tuple[str, ...]:
    return (stripe.url,)


@pytest.fixture
def database(shop: tuple[Router, str]) -> Database:
    return shop[0].registry.database


@pytest.fixture
def at_the_till(
    request: pytest.FixtureRequest, open_page: OpenPage, database: Database, stripe: FakeStripe
) -> Page:
    """A customer of this test alone, with something in the basket, at the filled-in checkout."""
    address = f"customer.{abs(hash(request.node.name))}@example.org"
    add_account(database, address)
    javascript = (
        getattr(request.node, "callspec", None) is None
        or request.node.callspec.params["javascript"]
    )
    page = open_page("/sign-in", javascript=javascript)
    page.get_by_label("Email address").fill(address)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.goto("/products/letter-paper")
    page.get_by_role("button", name="Add to basket").click()
    fill_in_checkout(page)
    return page


def fill_in_checkout(page: Page) -> None:
    page.goto("/checkout")
    page.get_by_label("Full name").fill("Ada Lovelace")
    page.get_by_label("Start my download at once").check()


def pay_at_stripe(page: Page, button: str = "pay") -> None:
    """Press a button of Stripe's page."""
    page.locator(f"button[value={button}]").click()


def is_paid(page: Page) -> None:
    expect(page.get_by_text("Your order is paid")).to_be_visible()


def of_this_customer(database: Database, page: Page) -> tuple[int, int, int, int]:
    """How many orders, payments, receipts and emails with receipts the customer's order has."""
    number = page.url.partition("/orders/")[2].partition("?")[0]
    with database.transaction(write=False) as session:
        order = session.scalars(select(Order).where(Order.number == number)).one()

        def count(*conditions: object) -> int:
            return session.scalar(select(func.count()).where(*conditions)) or 0

        return (
            count(Order.account_id == order.account_id),
            count(Payment.order_id == order.id),
            count(Document.order_id == order.id),
            count(OutboxEmail.about == f"order:{order.id}", OutboxEmail.kind == "purchase_receipt"),
        )


@WITH_AND_WITHOUT
def test_a_customer_pays_and_finds_the_download(
    at_the_till: Page, database: Database, javascript: bool
) -> None:
    page = at_the_till
    page.get_by_role("button", name=PAYS).click()
    pay_at_stripe(page)

    is_paid(page)
    expect(page.get_by_role("button", name="Download Letter paper")).to_be_visible()
    assert of_this_customer(database, page) == (1, 1, 1, 1)


@WITH_AND_WITHOUT
def test_a_double_click_orders_once(
    at_the_till: Page, database: Database, stripe: FakeStripe, javascript: bool
) -> None:
    page, before = at_the_till, len(stripe.sessions)
    page.get_by_role("button", name=PAYS).dblclick()
    pay_at_stripe(page)

    is_paid(page)
    assert len(stripe.sessions) == before + 1
    assert of_this_customer(database, page) == (1, 1, 1, 1)


@WITH_AND_WITHOUT
def test_two_tabs_pay_one_order(
    at_the_till: Page, database: Database, stripe: FakeStripe, javascript: bool
) -> None:
    page, before = at_the_till, len(stripe.sessions)
    other = page.context.new_page()
    fill_in_checkout(other)
    page.get_by_role("button", name=PAYS).click()
    other.get_by_role("button", name=PAYS).click()
    assert page.url == other.url
    pay_at_stripe(page)
    is_paid(page)

    other.reload()
    expect(other.get_by_role("status")).to_be_visible()
    assert len(stripe.sessions) == before + 1
    assert of_this_customer(database, page) == (1, 1, 1, 1)


@WITH_AND_WITHOUT
def test_the_way_back_after_paying_pays_nothing_again(
    at_the_till: Page, database: Database, stripe: FakeStripe, javascript: bool
) -> None:
    page, before = at_the_till, len(stripe.sessions)
    checkout = page.url
    page.get_by_role("button", name=PAYS).click()
    pay_at_stripe(page)
    is_paid(page)
    order = page.url.partition("?")[0]

    page.go_back()
    page.go_back()
    if page.url == checkout:
        page.get_by_role("button", name=PAYS).click()
    page.goto(order)

    is_paid(page)
    assert len(stripe.sessions) == before + 1
    assert of_this_customer(database, page) == (1, 1, 1, 1)


def test_a_browser_that_is_closed_after_paying_gets_its_receipt(
    at_the_till: Page, database: Database, stripe: FakeStripe
) -> None:
    page = at_the_till
    page.get_by_role("button", name=PAYS).click()
    session = stripe.sessions[-1]
    page.context.close()

    stripe.pay(session["id"])

    def has_receipt() -> bool:
        with database.transaction(write=False) as database_session:
            payment = database_session.get_one(Payment, session["client_reference_id"])
            return payment.order.is_paid and payment.order.receipt is not None

    eventually(has_receipt, what="the receipt to be written")


@WITH_AND_WITHOUT
def test_a_payment_that_takes_days_succeeds_in_the_end(
    at_the_till: Page, database: Database, stripe: FakeStripe, javascript: bool
) -> None:
    page = at_the_till
    page.get_by_role("button", name=PAYS).click()
    session = stripe.sessions[-1]["id"]
    pay_at_stripe(page, "pay_later")
    expect(page.get_by_text("Your payment is on its way.")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Pay"))).to_have_count(0)

    stripe.succeed_later(session)

    eventually(lambda: _is_paid_after_reload(page), what="the order to be paid")
    assert of_this_customer(database, page) == (1, 1, 1, 1)


@WITH_AND_WITHOUT
def test_a_payment_that_fails_after_days_is_paid_by_a_second_one(
    at_the_till: Page, database: Database, stripe: FakeStripe, javascript: bool
) -> None:
    page = at_the_till
    page.get_by_role("button", name=PAYS).click()
    session = stripe.sessions[-1]["id"]
    pay_at_stripe(page, "pay_later")
    expect(page.get_by_text("Your payment is on its way.")).to_be_visible()
    stripe.fail_later(session)

    def can_pay_again() -> bool:
        page.reload()
        return page.get_by_role("button", name=re.compile("^Pay")).count() == 1

    eventually(can_pay_again, what="the button to pay again")
    page.get_by_role("button", name=re.compile("^Pay")).click()
    pay_at_stripe(page)

    is_paid(page)
    assert of_this_customer(database, page) == (1, 2, 1, 1)


@WITH_AND_WITHOUT
def test_a_session_that_expired_is_followed_by_one_that_is_paid(
    at_the_till: Page, database: Database, stripe: FakeStripe, javascript: bool
) -> None:
    page = at_the_till
    page.get_by_role("button", name=PAYS).click()
    session = stripe.sessions[-1]
    stripe.expire(session["id"])
    page.goto(session["cancel_url"])

    page.get_by_role("button", name=re.compile("^Pay")).click()
    assert page.url != session["url"]
    pay_at_stripe(page)

    is_paid(page)
    assert of_this_customer(database, page) == (1, 2, 1, 1)


def _is_paid_after_reload(page: Page) -> bool:
    page.reload()
    return page.get_by_text("Your order is paid").count() == 1
