"""Documents without a shop: what they say, chosen by a test, and their PDF."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import app.i18n
from app.i18n.languages import Languages
from app.shop import money
from app.shop.documents.content import Correction, DocumentContent, Line
from app.shop.documents.pdf import render
from app.shop.emails import samples
from app.shop.models import DocumentKind
from app.shop.money import Tax

BERLIN = ZoneInfo("Europe/Berlin")
LANGUAGES = Languages(Path(app.i18n.__file__).with_name("locale"))


def line(
    name: str, quantity: int = 1, price: int = 2400, rate: int = 1900, form: str = "PDF, 160 pages"
) -> Line:
    """A line of a document."""
    return Line(name, form, quantity, price, rate, quantity * price)


BOOK = line("The art of the letter")


def receipt(*lines: Line, **changes: Any) -> DocumentContent:
    """What a receipt says. Without ``lines`` it is for one book."""
    lines = lines or (BOOK,)
    sums = money.totals(lines)
    content = DocumentContent(
        kind=DocumentKind.RECEIPT,
        number="2026-000042",
        is_test=False,
        locale="en",
        issued_at=samples.PAID_AT,
        ordered_at=samples.ORDERED_AT,
        order_number=samples.ORDER_NUMBER,
        seller=samples.SELLER,
        buyer=samples.ADA,
        currency="EUR",
        lines=lines,
        taxes=sums.taxes,
        vat_sentence="",
        total=sums.total,
        card_brand="Visa",
        card_last4="4242",
        statement_name="PILLARBOX.EXAMPLE",
        withdraw_until=samples.WITHDRAW_UNTIL,
    )
    return replace(content, **changes)


def refund(**changes: Any) -> DocumentContent:
    """What the document of a refund of 10.00 says, which is for no goods in particular."""
    content = receipt(
        kind=DocumentKind.REFUND,
        number="2026-000043",
        lines=(),
        taxes=(Tax(700, 400, 26), Tax(1900, 600, 96)),
        total=1000,
        statement_name="",
        withdraw_until=None,
        correction=Correction("2026-000042", samples.PAID_AT, "Two pages were missing."),
    )
    return replace(content, **changes)


def postcards(count: int) -> tuple[Line, ...]:
    """As many different lines, at two rates."""
    return tuple(
        line(f"Postcard no. {n}, printed by hand on heavy cotton paper", n % 9 + 1, 195 + n, rate)
        for n, rate in zip(range(1, count + 1), [700, 1900] * count, strict=False)
    )


def pdf_of(content: DocumentContent) -> bytes:
    """Its file."""
    pdf = render(content, LANGUAGES, BERLIN)
    assert pdf is not None
    return pdf
