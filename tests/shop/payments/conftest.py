"""A shop that takes its money by our fake of Stripe."""

from collections.abc import Callable, Iterator
from functools import partial

import pytest
import requests
import stripe as package
from pyramid.router import Router
from webtest import TestApp

from tests.support.application import MakeApp
from tests.support.stripe import FakeStripe
from tests.support.stripe.client import Client, Connect, client_of

Post = Callable[[bytes, dict[str, str]], int]


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str], stripe: FakeStripe) -> Router:
    """The application, with Stripe as its payment provider."""
    return make_app(settings_values | stripe.settings())


@pytest.fixture
def webhook(app: Router) -> Post:
    """Posts an event to the shop, and returns the status of the answer."""
    stripes = TestApp(app)

    def post(body: bytes, headers: dict[str, str]) -> int:
        answer = stripes.post("/webhooks/stripe", body, headers=headers, expect_errors=True)
        return answer.status_int

    return post


@pytest.fixture
def connect(stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients of the fake. They share their connections, which end with the test."""
    monkeypatch.setattr(package, "enable_telemetry", False)
    with requests.Session() as session:
        yield partial(client_of, stripe, session)


@pytest.fixture
def client(connect: Connect) -> Client:
    """The real package, set up as the shop does it, without a shop."""
    return connect()
