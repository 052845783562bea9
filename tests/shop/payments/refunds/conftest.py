"""A paid order at the test provider, and how its refunds are requested, asked for and taken."""

from collections.abc import Callable
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select

from app.shop.models import Order, RefundOrigin
from app.shop.payments.provider import RefundResult
from app.shop.payments.provider_refunds import take_provider_refund
from app.shop.payments.refundable import payment_of
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.web.background import background_request
from tests.support.application import MakeApp
from tests.support.paid_orders import RefundingProvider, paid_order
from tests.support.refunding import Refunding


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """The application, with the test provider."""
    return make_app(settings_values)


@pytest.fixture
def provider(app: Router) -> RefundingProvider:
    """The shop's provider."""
    app.registry.payment_provider = RefundingProvider(app.registry)
    return app.registry.payment_provider


@pytest.fixture
def number(app: Router, provider: RefundingProvider) -> str:
    """A paid order of two lines."""
    return paid_order(app.registry)


@pytest.fixture
def request_of(app: Router, number: str) -> Refunding:
    """Requests a refund, and returns its id once it is committed."""

    def request_one(amount: int, **more: Any) -> str:
        request = background_request(app.registry, "test")
        with app.registry.database.transaction(write=True) as session:
            order = session.scalars(select(Order).where(Order.number == number)).one()
            payment = payment_of(order)
            assert payment is not None
            values = {"origin": RefundOrigin.SHOP, "by": "test"} | more
            refund = request_refund(request, session, order, payment, amount=amount, **values)
            return refund.id

    return request_one


@pytest.fixture
def ask(app: Router) -> Callable[[str], None]:
    """Asks the provider."""
    return lambda refund_id: ask_for_refund(background_request(app.registry, "test"), refund_id)


@pytest.fixture
def refund(request_of: Refunding, ask: Callable[[str], None]) -> Refunding:
    """Requests a refund and asks the provider."""

    def refund_one(amount: int, **more: Any) -> str:
        refund_id = request_of(amount, **more)
        ask(refund_id)
        return refund_id

    return refund_one


@pytest.fixture
def take(app: Router) -> Callable[..., None]:
    """Takes what the provider tells by itself."""

    def take_result(result: RefundResult, **more: Any) -> None:
        take_provider_refund(background_request(app.registry, "test"), result, by="webhook", **more)

    return take_result
