"""The receipt of a refund, sent when the provider says that it has succeeded (STANDARDS D8)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from app.mail.kinds import Kind, Priority, RateLimit
from app.shop import money
from app.shop.emails import samples
from app.shop.models import RefundOrigin
from app.shop.parties import Buyer, Seller


@dataclass(frozen=True, slots=True)
class RefundReceipt:
    """What was refunded, of what, why, and when the money is there. ``amount`` is in minor units.

    ``lines`` names the goods that were refunded. It is empty when the whole order was refunded, or
    an amount that belongs to no goods.
    """

    order_number: str
    refund_number: str
    """The number of the refund's document."""
    receipt_number: str
    """The number of the receipt that it corrects."""
    issued_at: datetime
    link: str
    """The order's page."""
    seller: Seller
    buyer: Buyer
    currency: str
    amount: int
    order_total: int
    lines: tuple[str, ...]
    taxes: tuple[money.Tax, ...]
    """How the amount is split over the VAT rates. Empty when only the document says it."""
    vat_sentence: str
    """Why an exempt seller charges no VAT. Empty when VAT was charged."""
    origin: RefundOrigin
    """What led to the refund."""
    reason: str
    """Why, in the seller's words. May be empty."""
    card_brand: str | None
    card_last4: str | None
    has_pdf: bool
    """The refund's document is attached as a PDF."""
    is_test: bool


def _sample(amount: int = 2400, **more: Any) -> RefundReceipt:
    refund = RefundReceipt(
        order_number=samples.ORDER_NUMBER,
        refund_number="2026-000043",
        receipt_number="2026-000042",
        issued_at=datetime(2026, 11, 24, 9, 5, tzinfo=UTC),
        link=samples.ORDER_LINK,
        seller=samples.SELLER,
        buyer=samples.ADA,
        currency="EUR",
        amount=amount,
        order_total=2400,
        lines=(),
        taxes=(money.Tax(1900, amount, money.vat_in(amount, 1900)),),
        vat_sentence="",
        origin=RefundOrigin.SHOP,
        reason="",
        card_brand="Visa",
        card_last4="4242",
        has_pdf=True,
        is_test=False,
    )
    return replace(refund, **more)


REFUND_RECEIPT = Kind(
    name="refund_receipt",
    context=RefundReceipt,
    samples={
        "short": _sample(),
        "long": _sample(
            123_456_789,
            currency="CHF",
            order_total=987_654_321,
            lines=tuple(f"Postcard no. {n}, printed by hand on cotton paper" for n in range(1, 21)),
            taxes=(
                money.Tax(700, 23_456_789, money.vat_in(23_456_789, 700)),
                money.Tax(1900, 100_000_000, money.vat_in(100_000_000, 1900)),
            ),
            reason="You told us that these files could not be opened on your reader. We are sorry"
            " for the trouble, and have corrected them for everybody who buys them from now on.",
            card_brand=None,
            card_last4=None,
            has_pdf=False,
        ),
        "scripts": _sample(
            1200,
            lines=("Почтовая бумага «Нева»", "便箋とインクの贈り物"),
            buyer=samples.LUCJA,
            seller=replace(samples.SELLER, name="Bücher & Briefe"),
            reason="Η σφραγίδα ήταν ελαττωματική.",
        ),
        "hostile": _sample(
            1,
            lines=(samples.HOSTILE_WORDS, samples.MARKDOWN_WORDS, "m" * 200),
            buyer=samples.HOSTILE_BUYER,
            reason=f"{samples.HOSTILE_WORDS} {samples.MARKDOWN_WORDS} %(name)s %s {{0}}",
            card_brand="<i>Visa</i>",
        ),
        "part": _sample(500, is_test=True),
        "withdrawal": _sample(
            1200, lines=("The art of the letter",), origin=RefundOrigin.WITHDRAWAL
        ),
        "paid_twice": _sample(origin=RefundOrigin.PAID_TWICE, receipt_number="2026-000041"),
        "exempt": _sample(
            vat_sentence="As a small business, we charge no VAT (Section 19 UStG).",
            card_brand="SEPA Direct Debit",
            card_last4="",
        ),
    },
    time_to_live=timedelta(days=14),
    priority=Priority.RECEIPT,
    limit=RateLimit(100, timedelta(days=1)),
)
