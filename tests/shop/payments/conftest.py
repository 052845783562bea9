"""A shop that takes its money by our fake of Stripe."""

from collections.abc import Callable

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.database.engine import Database
from tests.support.application import MakeApp
from tests.support.shopping import sign_in, stock
from tests.support.stripe import FakeStripe

Post = Callable[[bytes, dict[str, str]], int]


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str], stripe: FakeStripe) -> Router:
    """The application, with Stripe as its payment provider."""
    return make_app(settings_values | stripe.settings())


@pytest.fixture
def customer(browser: TestApp, database: Database) -> TestApp:
    """A signed-in browser, in a shop with products."""
    stock(database)
    sign_in(browser, database)
    return browser


@pytest.fixture
def webhook(app: Router) -> Post:
    """Posts an event to the shop, and returns the status of the answer."""
    stripes = TestApp(app)

    def post(body: bytes, headers: dict[str, str]) -> int:
        answer = stripes.post("/webhooks/stripe", body, headers=headers, expect_errors=True)
        return answer.status_int

    return post
