"""Events of Stripe: check the signature, and act on what they point to.

Of an event only its type and ids are believed. What it tells of is read again from Stripe, so the
order of events does not matter, and an old event changes nothing.
"""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyramid.request import Request
from stripe import WebhookSignature

from app.database import short_transaction
from app.shop.models import Payment
from app.shop.payments.asking import settle_result
from app.shop.payments.disputes import take_dispute
from app.shop.payments.provider import ProviderRefuses
from app.shop.payments.provider_refunds import take_provider_refund
from app.shop.payments.stripe import StripeProvider

log = logging.getLogger(__name__)

TOLERANCE_SECONDS = 300
"""How old an event may be, and how far ahead of our clock."""


class BadEvent(Exception):
    """What came is no event that Stripe has signed. The text says why, and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Event:
    """What is believed of an event. ``object_id`` names what it is about."""

    id: str
    type: str
    object_id: str


def read_event(body: bytes, signature: str, secrets: tuple[str, ...], now: datetime) -> Event:
    """The event in ``body``, whose header ``signature`` fits one of the ``secrets``.

    Raises ``BadEvent``.
    """
    if not any(_is_signed(body, signature, secret) for secret in secrets):
        raise BadEvent("the signature does not fit")
    signed_at = _signed_at(signature)
    if signed_at is None or abs(now.timestamp() - signed_at) > TOLERANCE_SECONDS:
        raise BadEvent("it is too old, or from the future")
    try:
        content = json.loads(body)
        event = Event(content["id"], content["type"], content["data"]["object"]["id"])
        is_event = content["object"] == "event"
    except (ValueError, LookupError, TypeError, RecursionError):
        raise BadEvent("it is not an event") from None
    parts = (event.id, event.type, event.object_id)
    if not is_event or not all(
        isinstance(part, str) and part and len(part) < 256 for part in parts
    ):
        raise BadEvent("it is not an event")
    return event


def _is_signed(body: bytes, signature: str, secret: str) -> bool:
    try:
        # The time is checked by the application's clock.
        WebhookSignature.verify_header(body, signature, secret, tolerance=None)
    except Exception:
        # Beside its own error the library raises several others for what is malformed, such as
        # UnicodeDecodeError and TypeError.
        return False
    return True


def _signed_at(signature: str) -> int | None:
    """The first time in the header, which is the one that the library takes as signed."""
    first = next((part for part in signature.split(",") if part.split("=")[0] == "t"), "")
    digits = re.fullmatch("t=([0-9]{1,12})", first)
    return int(digits[1]) if digits else None


def act_on(request: Request, event: Event) -> None:
    """Act on an event: read from Stripe what it tells of, and settle it.

    Raises ``ProviderError`` when Stripe could not be asked.
    """
    act = _ACTS.get(event.type)
    if act is None:
        log.info("webhook without a use: event=%s type=%s", event.id, event.type)
        return
    try:
        act(request, event)
    except ProviderRefuses as problem:
        # What the event tells of is unknown to Stripe by our key: it is of the other mode.
        log.warning("webhook of something unknown: event=%s problem=%s", event.id, problem)


def _act_on_session(request: Request, event: Event) -> None:
    result = _provider(request).fetch(event.object_id)
    with short_transaction(request.registry, write=False) as session:
        payment = session.get(Payment, result.payment_id)
    if payment is None or payment.provider != StripeProvider.name:
        log.info("webhook of a foreign session: event=%s", event.id)
        return
    settle_result(request, payment.id, result, by="webhook", event=(event.id, event.type))


def _act_on_refund(request: Request, event: Event) -> None:
    result = _provider(request).fetch_refund(event.object_id)
    take_provider_refund(request, result, by="webhook", event=(event.id, event.type))


def _act_on_refunded_charge(request: Request, event: Event) -> None:
    for result in _provider(request).refunds_of_charge(event.object_id):
        take_provider_refund(request, result, by="webhook")


def _act_on_dispute(request: Request, event: Event) -> None:
    dispute = _provider(request).fetch_dispute(event.object_id)
    take_dispute(request, dispute, event=(event.id, event.type))


def _provider(request: Request) -> StripeProvider:
    provider: Any = request.registry.payment_provider
    if not isinstance(provider, StripeProvider):
        raise TypeError("webhooks of Stripe need Stripe as the payment provider")
    return provider


_ACTS: dict[str, Callable[[Request, Event], None]] = {
    "checkout.session.completed": _act_on_session,
    "checkout.session.async_payment_succeeded": _act_on_session,
    "checkout.session.async_payment_failed": _act_on_session,
    "checkout.session.expired": _act_on_session,
    "refund.created": _act_on_refund,
    "refund.updated": _act_on_refund,
    "refund.failed": _act_on_refund,
    "charge.refunded": _act_on_refunded_charge,
    "charge.dispute.created": _act_on_dispute,
    "charge.dispute.closed": _act_on_dispute,
}
EVENTS = tuple(_ACTS)
"""The types of events that the webhook endpoint at Stripe has to send."""
