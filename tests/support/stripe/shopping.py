"""What customers of a shop with Stripe do."""

from typing import Any

from webtest import TestApp, TestResponse

from app.database.engine import Database
from tests.support.shopping import order, orders_in, put_into_basket, receipts_in
from tests.support.stripe import FakeStripe


def order_envelopes(customer: TestApp) -> str:
    """Order envelopes, and return the address of Stripe's page."""
    put_into_basket(customer, "envelopes")
    answer = order(customer)
    assert answer.status_int == 303
    return str(answer.location)


def order_page(customer: TestApp, database: Database, query: str = "") -> TestResponse:
    return customer.get(f"/orders/{orders_in(database)[-1].number}{query}")


def the_only_session(stripe: FakeStripe) -> Any:
    [session] = stripe.sessions
    return session


def receipts(database: Database) -> list[str]:
    """The number of each document."""
    return [document.full_number for document in receipts_in(database)]
