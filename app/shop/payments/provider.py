"""What a payment provider is: what the shop asks of it, and what it answers.

A provider is asked over the network, so never inside a database transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from app.shop.models import RefundState


class PaymentOutcome(StrEnum):
    """The state of a payment at the provider."""

    PENDING = "pending"
    PROCESSING = "processing"
    """The customer is done, and the money is on its way."""
    PAID = "paid"
    FAILED = "failed"
    EXPIRED = "expired"
    """Nobody paid in time, and nobody can pay any more."""


@dataclass(frozen=True, slots=True)
class ChargedLine:
    """A line of the order, with ``unit_price`` in minor units."""

    name: str
    quantity: int
    unit_price: int


@dataclass(frozen=True, slots=True)
class Charge:
    """What the provider charges: ``amount`` in minor units, once for each ``payment_id``.

    It is made of stored rows alone, so that a second call for the same payment says the same.
    """

    payment_id: str
    order_number: str
    amount: int
    currency: str
    lines: tuple[ChargedLine, ...]
    email: str
    locale: str
    expires_at: datetime
    success_url: str
    cancel_url: str


@dataclass(frozen=True, slots=True)
class StartedPayment:
    """A started payment: the provider's session for it, and the page where the customer pays."""

    session: str
    url: str


@dataclass(frozen=True, slots=True)
class PaymentResult:
    """What the provider says about a payment. The card has no other data here (STANDARDS D9).

    ``payment_id``, ``livemode`` and ``session`` are as the provider knows them. ``url`` is the page
    where the customer pays, as long as the outcome is ``PENDING``.
    """

    outcome: PaymentOutcome
    payment_id: str
    amount: int
    currency: str
    livemode: bool
    intent: str | None = None
    card_brand: str | None = None
    card_last4: str | None = None
    statement_name: str | None = None
    session: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class RefundAsked:
    """What is to be refunded: ``amount`` in minor units of the payment with this ``intent``, once
    for each ``refund_id``.
    """

    refund_id: str
    intent: str
    amount: int
    currency: str


@dataclass(frozen=True, slots=True)
class RefundResult:
    """What the provider says about a refund. ``failure`` says why it failed.

    ``refund_id`` is ours, and None for a refund that was made on the provider's own pages.
    """

    reference: str
    state: RefundState
    intent: str
    amount: int
    currency: str
    refund_id: str | None = None
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class DisputeResult:
    """A dispute: the customer's bank takes the money back, unless the shop answers until
    ``answer_by``.
    """

    reference: str
    intent: str
    amount: int
    currency: str
    reason: str
    state: str
    """In the provider's words, such as ``needs_response``."""
    answer_by: datetime | None


class ProviderError(Exception):
    """The provider did not answer, or its answer was not understood. Nothing is known to have
    changed.
    """


class ProviderBusy(ProviderError):
    """Too many requests wait for the provider already, so this one did not ask."""


class ProviderRefuses(ProviderError):
    """The provider refuses what was asked, and will refuse it again. Nothing has changed."""


class KeyRefused(ProviderError):
    """The provider does not accept the shop's key."""


class PaymentProvider(Protocol):
    """A service that takes the money. Every method raises ``ProviderError``."""

    name: str
    is_test: bool
    """Whether no money moves. Every page, email and document then says so (STANDARDS D12)."""
    page_origin: str | None
    """The origin (RFC 6454) of the page where the customer pays; None when it is ours."""

    @property
    def is_open(self) -> bool:
        """Whether payments can be started. If not, the checkout is closed."""

    def start(self, charge: Charge) -> StartedPayment:
        """Start a payment at the provider. A second call for it gives the same answer."""

    def fetch(self, session: str) -> PaymentResult:
        """Ask for the result of a payment."""

    def close(self, session: str) -> PaymentResult:
        """Close the page where the customer pays, and give the result. A payment that is over stays
        as it is.
        """

    def refund(self, asked: RefundAsked) -> RefundResult:
        """Give money back. A second call for it gives the same answer.

        Raises ``ProviderRefuses`` when the provider will not refund it.
        """

    def fetch_refund(self, reference: str) -> RefundResult:
        """Ask for the state of a refund."""

    def payments_since(self, since: datetime) -> Iterator[PaymentResult]:
        """Every payment that was started since then. Asks on the way."""

    def refunds_since(self, since: datetime) -> Iterator[RefundResult]:
        """Every refund that was made since then. Asks on the way."""
