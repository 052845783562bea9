"""What tests of refunds say about an order of two lines."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from app.database.engine import Database
from app.shop.models import Refund, RefundState
from app.shop.payments.provider import RefundResult
from tests.support.paid_orders import payment_in

LINE_1, LINE_2, ALL = 1200, 1600, 2800
Refunding = Callable[..., str]
"""Requests a refund of an amount, and returns its id."""


class Killed(BaseException):
    """What a test raises where a process dies."""


def told_of(refund: Refund, intent: str, state: RefundState, **told: Any) -> RefundResult:
    """What the provider tells by itself about a refund of ours."""
    reference = f"test_refund_{refund.id}"
    result = RefundResult(reference, state, intent, refund.amount, refund.currency, refund.id)
    return replace(result, **told)


def intent_of(database: Database) -> str:
    intent = payment_in(database).intent
    assert intent is not None
    return intent


def by_hand(database: Database, amount: int = 500, **told: Any) -> RefundResult:
    """A refund that somebody made on the provider's own pages."""
    result = RefundResult("re_1", RefundState.SUCCEEDED, intent_of(database), amount, "EUR")
    return replace(result, **told)
