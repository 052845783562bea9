"""What a payment provider is: what the shop asks of it, and what it answers.

A provider is asked over the network, so never inside a database transaction.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pyramid.request import Request


class PaymentOutcome(StrEnum):
    """The state of a payment at the provider."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What the provider charges: ``amount`` in minor units, once for each ``payment_id``."""

    payment_id: str
    order_number: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A started payment: the provider's reference for it, and the page where the customer pays."""

    reference: str
    url: str


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """What the provider says about a payment. The card has no other data here (STANDARDS D9)."""

    outcome: PaymentOutcome
    order_number: str
    amount: int
    currency: str
    card_brand: str | None = None
    card_last4: str | None = None


class ProviderError(Exception):
    """The provider did not answer, or its answer was not understood. The payment is unchanged."""


class PaymentProvider(Protocol):
    """A service that takes the money."""

    name: str
    is_test: bool
    """Whether no money moves. Every page, email and document then says so (STANDARDS D12)."""

    def start(self, request: Request, charge: Charge) -> StartedPayment:
        """Start a payment at the provider. A second call for it gives the same answer.

        Raises ``ProviderError``.
        """

    def fetch(self, reference: str) -> PaymentResult:
        """Ask for the result of a payment. Raises ``ProviderError``."""
