"""The kind ``purchase_receipt``, with its samples."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from app.shop import money
from app.shop.emails import samples
from app.shop.emails.purchase_receipt import PurchaseReceipt, ReceiptLine, receipt_kind
from app.shop.parties import Buyer


def _sample(
    *lines: ReceiptLine,
    buyer: Buyer = samples.ADA,
    currency: str = "EUR",
    card: tuple[str, str] | None = ("Visa", "4242"),
    consent_at: datetime | None = samples.ORDERED_AT,
    **more: Any,
) -> PurchaseReceipt:
    sums = money.totals(lines)
    receipt = PurchaseReceipt(
        order_number=samples.ORDER_NUMBER,
        receipt_number="2026-000042",
        ordered_at=samples.ORDERED_AT,
        issued_at=samples.PAID_AT,
        link=samples.ORDER_LINK,
        seller=samples.SELLER,
        buyer=buyer,
        currency=currency,
        lines=lines,
        taxes=sums.taxes,
        net=sums.net,
        total=sums.total,
        vat_sentence="",
        card_brand=card[0] if card else None,
        card_last4=card[1] if card else None,
        statement_name="PILLARBOX",
        withdraw_link=samples.WITHDRAW_LINK,
        withdraw_until=samples.WITHDRAW_UNTIL,
        consent_at=consent_at,
        opens_at=None if consent_at else samples.OPENS_AT,
        has_terms=True,
        has_pdf=True,
        is_test=False,
    )
    return replace(receipt, **more)


BOOK = ReceiptLine("The art of the letter", 1, 1200, 700, "PDF, 160 pages")

PURCHASE_RECEIPT = receipt_kind(
    {
        "short": _sample(
            ReceiptLine("Letter paper, 12 patterns", 2, 1200, 1900, "ZIP, 12 files"), is_test=True
        ),
        "long": _sample(
            *(
                ReceiptLine(
                    f"Postcard no. {number}, printed by hand on heavy cotton paper",
                    number % 9 + 1,
                    195,
                    700 if number % 2 else 1900,
                    "PDF, 2 pages",
                )
                for number in range(1, 100)
            ),
            ReceiptLine("The complete letter writer's cabinet", 1, 1_234_500, 1900, "ZIP, 9 files"),
        ),
        "scripts": _sample(
            ReceiptLine("Почтовая бумага «Нева»", 1, 980, 1900, "PDF, 12 страниц"),
            ReceiptLine("便箋とインクの贈り物", 3, 1450, 1900, "PDF、24ページ"),
            ReceiptLine("دفتر الرسائل", 1, 2200, 0, "PDF"),
            ReceiptLine("Σφραγίδα με βουλοκέρι ✉", 2, 640, 1900),
            buyer=samples.LUCJA,
            seller=replace(samples.SELLER, name="Bücher & Briefe"),
            currency="CHF",
            consent_at=None,
        ),
        "hostile": _sample(
            ReceiptLine(samples.HOSTILE_WORDS, 1, 1, 1900, "<b>PDF</b> | **{{ x }}**"),
            ReceiptLine("A name of a hundred and twenty characters ".ljust(120, "m"), 1, 100, 1900),
            ReceiptLine("🎁🎉 O'Reilly & Sons", 1, 100, 1900),
            ReceiptLine("Donaudampfschifffahrtsgesellschaftskapitän" * 2, 99, 99_999_999, 700),
            ReceiptLine(samples.MARKDOWN_WORDS, 1, 250, 700),
            buyer=samples.HOSTILE_BUYER,
            card=("<i>Visa</i>", "0000"),
        ),
        "zero": _sample(
            ReceiptLine("A postcard on the house", 1, 0, 1900, "PDF, 2 pages"),
            card=None,
            statement_name=None,
            consent_at=None,
        ),
        "exempt": _sample(
            BOOK,
            vat_sentence="As a small business, we charge no VAT (Section 19 UStG).",
            seller=replace(samples.SELLER, vat_id="", register="", phone=""),
            card=("SEPA Direct Debit", ""),
            statement_name=None,
            has_pdf=False,
        ),
        "copy": _sample(BOOK, is_copy=True),
    }
)
"""Thanks the customer for a purchase, and is its receipt and the confirmation of the contract."""
