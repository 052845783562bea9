"""Stripe: payments on its hosted page (Checkout Sessions), and refunds.

Whoever composes what is sent to Stripe takes it from stored rows alone. So a second try says the
same as the first, and the idempotency key never meets other parameters.
"""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import stripe

from app.settings.declarations import Payments
from app.shop.payments.provider import (
    Charge,
    DisputeResult,
    KeyRefused,
    PaymentResult,
    ProviderError,
    ProviderRefuses,
    RefundAsked,
    RefundResult,
    StartedPayment,
)
from app.shop.payments.stripe_answers import id_of, payment_result, refund_result

log = logging.getLogger(__name__)

CONNECT_SECONDS, ANSWER_SECONDS = 2, 4
"""The library as delivered waits 80 seconds."""
RETRIES = 1
CLOSED_SECONDS = 300
"""How long the checkout stays closed after Stripe has refused the key, unless Stripe accepts it
sooner.
"""
_LANGUAGES = (
    "bg cs da de el en es et fi fil fr hr hu id it ja ko lt lv ms mt nb nl pl pt ro ru sk sl sv th"
    " tr vi zh"
)
LANGUAGES = frozenset(_LANGUAGES.split())
"""The languages of Stripe's page."""

_EXPANDED = ["payment_intent.latest_charge"]


class StripeProvider:
    """A ``PaymentProvider`` that takes real money, or with a test key none.

    ``on_refused_key`` is called when Stripe does not accept the key.
    """

    name = "stripe"

    def __init__(self, settings: Payments, on_refused_key: Callable[[], None]) -> None:
        # Telemetry writes into the home folder, and fails where there is none.
        stripe.enable_telemetry = False
        key = settings.stripe_secret_key or ""
        self.is_test = "_test_" in key[:8]
        self.page_origin: str | None = settings.stripe_api or "https://checkout.stripe.com"
        self.client = stripe.StripeClient(
            key,
            base_addresses={"api": settings.stripe_api} if settings.stripe_api else None,
            http_client=stripe.RequestsClient(timeout=(CONNECT_SECONDS, ANSWER_SECONDS)),
            max_network_retries=RETRIES,
        )
        self._on_refused_key = on_refused_key
        self._closed_until = 0.0

    @property
    def is_open(self) -> bool:
        """False for a while after Stripe has refused the key."""
        return time.monotonic() >= self._closed_until

    def start(self, charge: Charge) -> StartedPayment:
        """Make a Checkout Session. Its idempotency key is the payment's id."""
        language = charge.locale.partition("_")[0]
        names = {"payment": charge.payment_id, "order": charge.order_number}
        with self._answer("start"):
            session = self.client.v1.checkout.sessions.create(
                {
                    "mode": "payment",
                    "submit_type": "pay",
                    "line_items": [
                        {
                            "quantity": line.quantity,
                            "price_data": {
                                "currency": charge.currency.lower(),
                                "unit_amount": line.unit_price,
                                "product_data": {"name": line.name},
                            },
                        }
                        for line in charge.lines
                    ],
                    "client_reference_id": charge.payment_id,
                    "metadata": names,
                    "payment_intent_data": {
                        "metadata": names,
                        "description": f"Order {charge.order_number}",
                    },
                    "customer_email": charge.email,
                    "locale": language if language in LANGUAGES else "auto",
                    "expires_at": int(charge.expires_at.timestamp()),
                    "success_url": charge.success_url,
                    "cancel_url": charge.cancel_url,
                    # The customer pays exactly what the order says.
                    "adaptive_pricing": {"enabled": False},
                    "automatic_tax": {"enabled": False},
                },
                {"idempotency_key": charge.payment_id},
            )
            if session.url is None:
                raise ProviderError("Stripe made a session without a page")
            return StartedPayment(session.id, session.url)

    def fetch(self, session: str) -> PaymentResult:
        """Read a session, its payment and its charge."""
        with self._answer("fetch"):
            return payment_result(
                self.client.v1.checkout.sessions.retrieve(session, {"expand": _EXPANDED})
            )

    def close(self, session: str) -> PaymentResult:
        """Expire an open session, and read one that is over."""
        sessions = self.client.v1.checkout.sessions
        with self._answer("close"):
            try:
                found = sessions.expire(session, {"expand": _EXPANDED})
            except stripe.InvalidRequestError:
                found = sessions.retrieve(session, {"expand": _EXPANDED})
            return payment_result(found)

    def refund(self, asked: RefundAsked) -> RefundResult:
        """Refund a part of a payment. The idempotency key is the refund's id.

        A refund that Stripe has made before is found by its metadata. The key alone is not enough:
        Stripe forgets it after a day, and until then repeats the error of a try that did make it.
        """
        with self._answer("refund"):
            made = self.client.v1.refunds.list({"payment_intent": asked.intent, "limit": 100})
            for refund in made.auto_paging_iter():
                result = refund_result(refund)
                if result.refund_id == asked.refund_id:
                    return result
            return refund_result(
                self.client.v1.refunds.create(
                    {
                        "payment_intent": asked.intent,
                        "amount": asked.amount,
                        "metadata": {"refund": asked.refund_id},
                    },
                    {"idempotency_key": asked.refund_id},
                )
            )

    def fetch_refund(self, reference: str) -> RefundResult:
        """Read a refund."""
        with self._answer("fetch_refund"):
            return refund_result(self.client.v1.refunds.retrieve(reference))

    def refunds_of_charge(self, charge: str) -> list[RefundResult]:
        """The refunds of a charge, the newest first."""
        with self._answer("refunds_of_charge"):
            found = self.client.v1.refunds.list({"charge": charge, "limit": 100})
            return [refund_result(refund) for refund in found.auto_paging_iter()]

    def fetch_dispute(self, reference: str) -> DisputeResult:
        """Read a dispute."""
        with self._answer("fetch_dispute"):
            found = self.client.v1.disputes.retrieve(reference)
            due = found.evidence_details.due_by
            return DisputeResult(
                reference=found.id,
                intent=id_of(found.payment_intent) or "",
                amount=found.amount,
                currency=found.currency.upper(),
                reason=found.reason,
                state=found.status,
                answer_by=datetime.fromtimestamp(due, UTC) if due else None,
            )

    def payments_since(self, since: datetime) -> Iterator[PaymentResult]:
        """Every session that was made since then. Raises ``ProviderError`` on the way."""
        with self._answer("payments_since"):
            parameters: Any = {
                "created": {"gte": int(since.timestamp())},
                "limit": 100,
                "expand": [f"data.{part}" for part in _EXPANDED],
            }
            for session in self.client.v1.checkout.sessions.list(parameters).auto_paging_iter():
                yield payment_result(session)

    def refunds_since(self, since: datetime) -> Iterator[RefundResult]:
        """Every refund that was made since then. Raises ``ProviderError`` on the way."""
        with self._answer("refunds_since"):
            parameters: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
            for refund in self.client.v1.refunds.list(parameters).auto_paging_iter():
                yield refund_result(refund)

    @contextmanager
    def _answer(self, asked: str) -> Iterator[None]:
        """Turn what the library raises into the protocol's errors. Their texts hold codes and ids,
        because Stripe's own words may quote what we sent.
        """
        try:
            yield
        except stripe.AuthenticationError as error:
            self._refuse_key(asked, error)
            raise KeyRefused(_describe(error)) from error
        except stripe.PermissionError as error:
            if asked in ("start", "fetch"):
                self._refuse_key(asked, error)
            raise KeyRefused(_describe(error)) from error
        except (stripe.InvalidRequestError, stripe.CardError) as error:
            raise ProviderRefuses(_describe(error)) from error
        except stripe.StripeError as error:
            raise ProviderError(_describe(error)) from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ProviderError(f"Stripe's answer lacks something ({error})") from error
        else:
            self._closed_until = 0.0

    def _refuse_key(self, asked: str, error: stripe.StripeError) -> None:
        self._closed_until = time.monotonic() + CLOSED_SECONDS
        log.error("Stripe refuses the key: asked=%s problem=%s", asked, _describe(error))
        self._on_refused_key()


def _describe(error: stripe.StripeError) -> str:
    parts = [type(error).__name__, str(error.http_status or "no answer")]
    parts += [str(part) for part in (error.code, getattr(error, "param", None)) if part]
    return " ".join([*parts, error.request_id or ""]).strip()
