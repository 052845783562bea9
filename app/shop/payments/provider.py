"""What a payment provider is: what the shop asks of it, and what it answers.

A provider is asked over the network, so never inside a database transaction.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pyramid.request import Request


class Outcome(StrEnum):
    """How a payment stands at the provider."""

    PENDING = "pending"
    PAID = "paid"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Charge:
    """What a provider is asked to take: ``amount`` in minor units, once per ``payment_id``."""

    payment_id: str
    order_number: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A payment that the provider knows: its name there, and the page where the customer pays."""

    reference: str
    url: str


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """What the provider says about a payment, and of its card no more than this (D9)."""

    outcome: Outcome
    order_number: str
    amount: int
    currency: str
    card_brand: str | None = None
    card_last4: str | None = None


class ProviderError(Exception):
    """The provider could not be asked, or its answer not understood. The payment is as it was."""


class PaymentProvider(Protocol):
    """Who takes the money."""

    name: str
    is_test: bool
    """No money moves, and every page, email and document says so (D12)."""

    def start(self, request: Request, charge: Charge) -> StartedPayment:
        """Tell the provider about a payment; the same one again gives the same answer.

        Raises `ProviderError`.
        """

    def fetch(self, reference: str) -> PaymentResult:
        """Ask how a payment stands. Raises `ProviderError`."""
