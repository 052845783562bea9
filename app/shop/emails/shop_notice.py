"""What the shop's own people are told: something happened that needs a person."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from app.mail.kinds import Kind, Priority, RateLimit
from app.shop.emails import samples


class Notice(StrEnum):
    """What happened. It is part of the key of the email, so it never changes."""

    PAYMENT_HELD = "payment_held"
    """A payment came in that does not match its order."""
    REFUND_FAILED = "refund_failed"
    REFUND_WAITS = "refund_waits"
    """A refund waits for a provider, or a mode of it, that the settings no longer name."""
    DISPUTE_OPENED = "dispute_opened"
    """A customer's bank took the money back, and wants an answer by a date."""
    WITHDRAWAL_TO_DECIDE = "withdrawal_to_decide"
    RECEIPT_NOT_SENT = "receipt_not_sent"
    """No relay accepted a receipt within 24 hours."""
    FILE_MISSING = "file_missing"
    """A customer wanted to download a file that is not in the shop's folder as it was."""
    KEY_REFUSED = "key_refused"
    """The payment provider refused the shop's key, so the checkout is closed."""


@dataclass(frozen=True, slots=True)
class ShopNotice:
    """What happened, and the command that helps. What is not known or does not apply is None or
    empty. ``amount`` is in minor units of ``currency``.
    """

    what: Notice
    at: datetime
    command: str
    order_number: str = ""
    reference: str = ""
    """The number or id by which commands and the provider know it."""
    amount: int | None = None
    currency: str = ""
    reason: str = ""
    """Why, in the words of the shop or the provider, in English."""
    respond_by: datetime | None = None
    """When the bank wants the answer to a dispute."""
    is_test: bool = False


def command_for(
    what: Notice,
    ini: str,
    *,
    order_number: str = "",
    reference: str = "",
    options: str = "",
    held_payment: str = "",
) -> str:
    """The command that shows or settles it. ``ini`` is the shop's .ini file.

    ``options`` limit a refund to the line and amount that failed. ``held_payment`` is the id of the
    payment if the refund was of a held one.
    """
    match what:
        case Notice.REFUND_FAILED if held_payment:
            return f"pillarbox payments {ini} release {held_payment} --refund"
        case Notice.WITHDRAWAL_TO_DECIDE if not order_number:
            return f"pillarbox withdrawals {ini} list"
        case Notice.PAYMENT_HELD:
            return f"pillarbox payments {ini} release {reference}"
        case Notice.REFUND_FAILED:
            return f"pillarbox refund {ini} {order_number} {options}".rstrip()
        case Notice.REFUND_WAITS:
            return f"pillarbox reconcile {ini}"
        case Notice.WITHDRAWAL_TO_DECIDE:
            return f"pillarbox withdrawals {ini} accept {reference}"
        case Notice.RECEIPT_NOT_SENT:
            return f"pillarbox emails {ini} show {reference}"
        case Notice.DISPUTE_OPENED:
            return f"pillarbox payments {ini} list"
        case Notice.FILE_MISSING:
            return f"pillarbox shop {ini} import FILE"
        case Notice.KEY_REFUSED:
            return f"pillarbox payments {ini} check"


def _sample(what: Notice, reference: str = "", **more: Any) -> ShopNotice:
    number = "" if what is Notice.KEY_REFUSED else samples.ORDER_NUMBER
    notice = ShopNotice(
        what=what,
        at=datetime(2026, 11, 24, 8, 15, tzinfo=UTC),
        command=command_for(what, "production.ini", order_number=number, reference=reference),
        order_number=number,
        reference=reference,
    )
    return replace(notice, **more)


_PAYMENT = "0f3a9c1d5e7b4a2688c0d1e2f3a4b5c6"
_REFUND = "8c0d1e2f3a4b5c60f3a9c1d5e7b4a268"

SHOP_NOTICE = Kind(
    name="shop_notice",
    context=ShopNotice,
    samples={
        "short": _sample(Notice.KEY_REFUSED),
        "long": _sample(
            Notice.PAYMENT_HELD,
            _PAYMENT,
            amount=2400,
            currency="EUR",
            reason="$24.00 came, €24.00 was asked",
        ),
        "refund": _sample(
            Notice.REFUND_FAILED,
            "re_3Qx1abcDEF",
            amount=1200,
            currency="EUR",
            reason="expired_or_canceled_card",
        ),
        "waiting_refund": _sample(
            Notice.REFUND_WAITS,
            _REFUND,
            amount=500,
            currency="EUR",
            reason=(
                "The payment was made with stripe (live), and the shop's provider is stripe (test)"
                " now."
            ),
        ),
        "dispute": _sample(
            Notice.DISPUTE_OPENED,
            "du_1Qx1abcDEF",
            amount=2400,
            currency="CHF",
            reason="product_not_received",
            respond_by=datetime(2026, 12, 3, 23, 59, tzinfo=UTC),
        ),
        "withdrawal": _sample(Notice.WITHDRAWAL_TO_DECIDE, "17", reason="the download had begun"),
        "unknown_order": _sample(
            Notice.WITHDRAWAL_TO_DECIDE,
            "18",
            reason="no order has this number and this email address",
        ),
        "file": _sample(
            Notice.FILE_MISSING,
            "2026-11-24",
            reason=f"{'3fa85f64' * 8}: No such file or directory",
        ),
        "receipt": _sample(Notice.RECEIPT_NOT_SENT, "4711", reason="553 5.1.3 no such mailbox"),
        "hostile": _sample(
            Notice.PAYMENT_HELD,
            _PAYMENT,
            amount=1,
            currency="JPY",
            reason=f"{samples.HOSTILE_WORDS} {samples.MARKDOWN_WORDS} {'m' * 200}",
            is_test=True,
        ),
    },
    time_to_live=timedelta(days=7),
    priority=Priority.RECEIPT,
    # Each notice is about money or goods and is sent once, so only a bug can reach this limit.
    limit=RateLimit(10_000, timedelta(days=1)),
)
