"""The emails about a payment that takes days: it is on its way, or it failed."""

from dataclasses import dataclass
from datetime import timedelta

from app.mail.kinds import Kind, Priority, RateLimit
from app.shop.emails import samples

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PaymentPending:
    """The customer has paid, and the bank has not confirmed it yet. ``total`` is in minor units.
    ``link`` is the order's page.
    """

    order_number: str
    link: str
    total: int
    currency: str
    is_test: bool


@dataclass(frozen=True, slots=True)
class PaymentFailed:
    """A payment that was on its way has failed. On ``link``, the order's page, the customer can
    pay again. ``total`` is in minor units.
    """

    order_number: str
    link: str
    total: int
    currency: str
    is_test: bool


def _pending(total: int, currency: str, *, is_test: bool = False) -> PaymentPending:
    return PaymentPending(samples.ORDER_NUMBER, samples.ORDER_LINK, total, currency, is_test)


def _failed(total: int, currency: str, *, is_test: bool = False) -> PaymentFailed:
    return PaymentFailed(samples.ORDER_NUMBER, samples.ORDER_LINK, total, currency, is_test)


PAYMENT_PENDING = Kind(
    name="payment_pending",
    context=PaymentPending,
    samples={
        "short": _pending(50, "JPY"),
        "long": _pending(1_234_567_89, "CHF"),
        "test": _pending(2400, "EUR", is_test=True),
    },
    time_to_live=7 * DAY,
    priority=Priority.RECEIPT,
    limit=RateLimit(100, DAY),
)
PAYMENT_FAILED = Kind(
    name="payment_failed",
    context=PaymentFailed,
    samples={
        "short": _failed(50, "JPY"),
        "long": _failed(1_234_567_89, "CHF"),
        "test": _failed(2400, "EUR", is_test=True),
    },
    time_to_live=14 * DAY,
    priority=Priority.RECEIPT,
    limit=RateLimit(100, DAY),
)
