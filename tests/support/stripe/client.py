"""How tests talk to the fake without an application: the real package, set up as the shop does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import requests
from stripe import RequestsClient, StripeClient, StripeError

from tests.support.clock import Clock
from tests.support.stripe.fake import KEY, FakeStripe
from tests.support.stripe.state import Json

Client = Any
"""A ``StripeClient``. Its answers are typed so widely that tests could not read them."""
Connect = Callable[..., Client]
"""Makes a client of the fixture ``stripe``: ``connect(key, seconds=4, retries=1)``."""


def client_of(
    stripe: FakeStripe,
    session: requests.Session,
    key: str = KEY,
    seconds: float = 4,
    retries: int = 1,
) -> StripeClient:
    """A client that waits so many seconds for an answer. It has no connections but ``session``."""
    return StripeClient(
        key,
        base_addresses={"api": stripe.url},
        http_client=RequestsClient(timeout=(2, seconds), session=session),
        max_network_retries=retries,
    )


def basket(clock: Clock, **others: Any) -> Any:
    """The parameters of a session over 24 euros."""
    price = {"currency": "eur", "unit_amount": 1200, "product_data": {"name": "Maps & <Atlases>"}}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 2, "price_data": price}],
        "client_reference_id": "payment-1",
        "metadata": {"order": "K7"},
        "payment_intent_data": {"metadata": {"order": "K7"}},
        "customer_email": "ada@example.org",
        "expires_at": int((clock.now + timedelta(hours=1)).timestamp()),
        "success_url": "https://shop.test/orders/K7?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/basket",
        "adaptive_pricing": {"enabled": False},
    } | others


def paid_intent(client: Client, stripe: FakeStripe, clock: Clock) -> str:
    """The payment intent of a session that was paid by card."""
    id: str = stripe.pay(client.v1.checkout.sessions.create(basket(clock)).id)["payment_intent"]
    return id


def error_of(ask: Callable[[], object]) -> Any:
    """The error of the package that this raises."""
    with pytest.raises(StripeError) as caught:
        ask()
    return caught.value


def types(events: list[Json]) -> list[str]:
    """The types of the events."""
    return [event["type"] for event in events]
