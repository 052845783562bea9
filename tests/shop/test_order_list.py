"""The list of a customer's orders."""

from datetime import timedelta
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp

from app.accounts.models import Account
from app.database.engine import Database
from app.shop.models import OrderLine, Payment, Refund
from app.shop.order_numbers import new_order_number
from app.shop.views.orders import PAGE_SIZE
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.orders import place
from tests.support.shopping import (
    buy,
    decide,
    fail,
    order,
    orders_in,
    put_into_basket,
    sign_in,
    stock,
)


def listed(customer: TestApp, query: str = "") -> list[str]:
    """The text of each row of the list."""
    page = customer.get(f"/orders{query}")
    return [" ".join(row.get_text(" ").split()) for row in page.html.tbody.find_all("tr")]


def status(customer: TestApp) -> str:
    """The status of the only order."""
    [status] = customer.get("/orders").html.tbody.find_all(class_="status")
    return str(status.text)


def test_a_customer_without_orders_is_told_what_to_do_next(customer: TestApp) -> None:
    page = customer.get("/orders")

    assert "You have not placed any orders yet." in page.text
    assert page.html.main.find("a")["href"] == "/"


def test_the_list_shows_the_latest_order_first(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    buy(customer, "envelopes")
    clock.advance(timedelta(days=1))
    put_into_basket(customer, "postcards")
    order(customer)

    first, second = orders_in(database)
    assert listed(customer) == [
        f"{second.number} November 23, 2026 Test payment €7.50 Not paid",
        f"{first.number} November 22, 2026 Test payment €9.80 Paid",
    ]
    assert customer.get("/orders").click(first.number).html.h1.text == f"Order {first.number}"


def change(database: Database, model: type[Any], **values: Any) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(model).values(**values))


def test_an_order_that_is_not_paid_says_what_became_of_its_payment(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    payment_page = order(customer).follow()
    assert status(customer) == "Not paid"

    decide(payment_page, "fail_later").follow()
    assert status(customer) == "Payment on its way"

    clock.advance(timedelta(minutes=1))
    customer.get(f"/orders/{orders_in(database)[0].number}")
    assert status(customer) == "Payment failed"

    change(database, Payment, state="held")
    assert status(customer) == "We are checking your payment"

    # All of the held payment goes back, so the order can be paid anew.
    change(database, Payment, refunded=Payment.amount)
    assert status(customer) == "Not paid"


def test_an_order_whose_next_payment_is_open_does_not_say_that_the_first_failed(
    customer: TestApp, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    fail(order(customer).follow(), clock).forms[0].submit(status=303)

    assert status(customer) == "Not paid"


def refunded(database: Database, clock: Clock, amount: int, state: str = "succeeded") -> None:
    with database.transaction(write=True) as session:
        payment = session.scalars(select(Payment)).one()
        payment.refunded += amount
        refund = Refund(
            id=f"{amount:032}",
            order_id=payment.order_id,
            payment_id=payment.id,
            amount=amount,
            currency=payment.currency,
            origin="shop",
            state=state,
            requested_by="test",
            created_at=clock.now,
            settled_at=clock.now,
        )
        session.add(refund)


def test_a_paid_order_says_what_has_gone_back(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    buy(customer, "envelopes")
    assert status(customer) == "Paid"

    refunded(database, clock, 500, "pending")
    assert status(customer) == "Paid"

    refunded(database, clock, 80)
    assert status(customer) == "Partly refunded"

    change(database, Refund, state="succeeded")
    refunded(database, clock, 400)
    assert status(customer) == "Refunded"


def test_an_order_that_the_customer_withdrew_from_says_so_until_the_money_is_back(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    buy(customer, "envelopes")
    change(database, OrderLine, closed_at=clock.now)
    assert status(customer) == "Withdrawn"

    refunded(database, clock, 980)
    assert status(customer) == "Refunded"


def test_an_order_that_was_withdrawn_before_it_was_paid_says_so(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    payment_page = order(customer).follow()
    change(database, OrderLine, closed_at=clock.now)
    assert status(customer) == "Withdrawn"

    fail(payment_page, clock)
    assert status(customer) == "Withdrawn"


def test_money_that_came_twice_and_went_back_leaves_the_order_paid(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    failed = fail(order(customer).follow(), clock)
    failed.forms[0].submit().follow().forms[0].submit().follow()
    with database.transaction(write=True) as session:
        first, _ = session.scalars(select(Payment).order_by(Payment.attempt))
        first.state, first.refunded = "paid", first.amount
        session.add(
            Refund(
                id="0",
                order_id=first.order_id,
                payment_id=first.id,
                amount=first.amount,
                currency="EUR",
                origin="paid twice",
                state="succeeded",
                requested_by="test",
                created_at=clock.now,
            )
        )

    assert status(customer) == "Paid"


@pytest.fixture
def many(app: Router, customer: TestApp, database: Database, clock: Clock) -> list[str]:
    """The numbers of two full pages of orders and one more, the latest first. All were placed at
    the same moment.
    """
    with database.transaction(write=False) as session:
        account = session.scalars(select(Account)).one()
    for number in range(2 * PAGE_SIZE + 1):
        place(app.registry, account, {"envelopes": 1}, basket_id=str(number))
    return [order.number for order in reversed(orders_in(database))]


def test_the_list_has_pages(customer: TestApp, many: list[str]) -> None:
    page = customer.get("/orders")
    seen = [[link.text for link in page.html.tbody.find_all("a")]]
    while page.html.main.find("a", string="Older orders"):
        page = page.click("Older orders")
        seen.append([link.text for link in page.html.tbody.find_all("a")])

    assert seen == [many[:PAGE_SIZE], many[PAGE_SIZE : 2 * PAGE_SIZE], many[-1:]]
    assert page.click("Latest orders").request.path_qs == "/orders"


def test_a_full_last_page_leads_no_further(customer: TestApp, many: list[str]) -> None:
    page = customer.get(f"/orders?before={many[PAGE_SIZE]}")

    assert [link.text for link in page.html.tbody.find_all("a")] == many[PAGE_SIZE + 1 :]
    assert not page.html.main.find("a", string="Older orders")
    assert "There are no older orders." in customer.get(f"/orders?before={many[-1]}").text


def test_the_number_in_the_address_is_one_of_the_customers_own(
    app: Router, customer: TestApp, database: Database
) -> None:
    buy(customer)
    number = orders_in(database)[0].number
    other = another_browser(app)
    sign_in(other, database, "bert@example.org")

    other.get(f"/orders?before={number}", status=404)
    customer.get(f"/orders?before={new_order_number()}", status=404)
    customer.get("/orders?before=1", status=404)
    customer.get(f"/orders?before={number.lower()}", status=200)


@on_sqlite
def test_the_list_speaks_german(make_app: MakeApp, settings_values: dict[str, str]) -> None:
    app = make_app(settings_values)
    german = another_browser(app, HTTP_ACCEPT_LANGUAGE="de")
    stock(app.registry.database)
    sign_in(german, app.registry.database)
    change(app.registry.database, Account, locale="de")
    put_into_basket(german, "envelopes")
    order(german)

    assert status(german) == "Nicht bezahlt"
