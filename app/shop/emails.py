"""The shop's emails: their kinds, contexts and samples, and functions that compose them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pyramid.request import Request
from sqlalchemy.orm import Session

from app.i18n.formats import amount
from app.mail.kinds import Kind, Priority, RateLimit
from app.mail.message import BodyFormat, Recipient
from app.shop import money
from app.shop.models import Document, Order, Payment

MAX_OFFERS = 20
"""How many lines the structured data lists, because Gmail cuts off an email over 102 KB.

The table lists every line.
"""


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A line of a receipt: ``unit_price`` in minor units with VAT, ``vat_rate`` in basis points."""

    name: str
    quantity: int
    unit_price: int
    vat_rate: int

    @property
    def total(self) -> int:
        """The line's amount in minor units."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class PurchaseReceipt:
    """All that a receipt says (STANDARDS D9). A postal address is a tuple of lines."""

    order_number: str
    receipt_number: str
    ordered_at: datetime
    issued_at: datetime
    link: str
    seller_name: str
    seller_address: tuple[str, ...]
    seller_vat_id: str
    support_email: str
    buyer_name: str
    buyer_address: tuple[str, ...]
    currency: str
    lines: tuple[ReceiptLine, ...]
    taxes: tuple[money.Tax, ...]
    net: int
    total: int
    card_brand: str | None
    card_last4: str | None
    statement_name: str
    is_test: bool
    structured_data: Mapping[str, Any] = field(init=False)
    """A schema.org Order, for mail programs that show purchases (STANDARDS A14)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "structured_data", _structured_data(self))


def receipt_key(order: Order) -> str:
    """The key of the email with the order's receipt."""
    return f"purchase_receipt:{order.id}"


def send_purchase_receipt(
    request: Request,
    session: Session,
    order: Order,
    payment: Payment,
    document: Document,
    *,
    key: str | None = None,
) -> None:
    """Queue the receipt of a paid order in the transaction of ``session``, which settles the
    payment. Its language and format are those of the time when the order was placed. ``key`` is
    another one than ``receipt_key`` when the customer asks for the receipt again.
    """
    context = PurchaseReceipt(
        order_number=order.number,
        receipt_number=document.full_number,
        ordered_at=order.created_at,
        issued_at=document.issued_at,
        link=request.link("order", number=order.number),
        seller_name=order.seller_name,
        seller_address=tuple(order.seller_address.splitlines()),
        seller_vat_id=order.seller_vat_id,
        support_email=order.seller_support_email,
        buyer_name=order.buyer_name,
        buyer_address=tuple(order.buyer_address.splitlines()),
        currency=order.currency,
        lines=tuple(
            ReceiptLine(line.name, line.quantity, line.unit_price, line.vat_rate)
            for line in order.lines
        ),
        taxes=tuple(money.Tax(tax.rate, tax.gross, tax.vat) for tax in order.taxes),
        net=order.net,
        total=order.total,
        card_brand=payment.card_brand,
        card_last4=payment.card_last4,
        statement_name=order.seller_statement_name,
        is_test=payment.is_test,
    )
    recipient = Recipient(
        address=order.buyer_email,
        name=order.buyer_name,
        locale=order.locale,
        body_format=BodyFormat(order.body_format),
    )
    message = request.compose(PURCHASE_RECEIPT, context, to=recipient, about=f"order:{order.id}")
    service = replace(request.email_service, session=session)
    service.send_message(message, key=key or receipt_key(order))


@dataclass(frozen=True, slots=True)
class PaymentHeld:
    """A payment that does not match its order."""

    order_number: str
    payment_id: str
    problem: str


def send_payment_pending(
    request: Request, session: Session, order: Order, payment: Payment
) -> None: ...


def send_payment_failed(
    request: Request, session: Session, order: Order, payment: Payment
) -> None: ...


def send_shop_notice(
    request: Request, session: Session, notice: PaymentHeld, *, key: str
) -> None: ...


def _structured_data(receipt: PurchaseReceipt) -> dict[str, Any]:
    def decimal(minor: int) -> str:
        return f"{amount(minor, receipt.currency):f}"

    return {
        "@context": "https://schema.org",
        "@type": "Order",
        "merchant": {"@type": "Organization", "name": receipt.seller_name},
        "customer": {"@type": "Person", "name": receipt.buyer_name},
        "orderNumber": receipt.order_number,
        "orderDate": receipt.ordered_at.isoformat(timespec="seconds"),
        "orderStatus": "https://schema.org/OrderProcessing",
        "priceCurrency": receipt.currency,
        "price": decimal(receipt.total),
        "acceptedOffer": [
            {
                "@type": "Offer",
                "itemOffered": {"@type": "Product", "name": line.name},
                "price": decimal(line.unit_price),
                "priceCurrency": receipt.currency,
                "eligibleQuantity": {"@type": "QuantitativeValue", "value": line.quantity},
            }
            for line in receipt.lines[:MAX_OFFERS]
        ],
        "url": receipt.link,
    }


def _sample(
    *lines: ReceiptLine,
    buyer_name: str = "Ada Lovelace",
    buyer_address: Sequence[str] = ("12 St James's Square", "London SW1Y 4JH", "United Kingdom"),
    seller_name: str = "Pillarbox",
    currency: str = "EUR",
    card: tuple[str, str] | None = ("Visa", "4242"),
    is_test: bool = False,
) -> PurchaseReceipt:
    sums = money.totals(lines)
    return PurchaseReceipt(
        order_number="7K3M-9QXW-2TBC",
        receipt_number="2026-000042",
        ordered_at=datetime(2026, 11, 22, 17, 49, tzinfo=UTC),
        issued_at=datetime(2026, 11, 22, 17, 50, tzinfo=UTC),
        link="https://shop.example/orders/7K3M-9QXW-2TBC",
        seller_name=seller_name,
        seller_address=("Sample Street 1", "12345 Sampleton"),
        seller_vat_id="XX123456789",
        support_email="help@shop.example",
        buyer_name=buyer_name,
        buyer_address=tuple(buyer_address),
        currency=currency,
        lines=lines,
        taxes=sums.taxes,
        net=sums.net,
        total=sums.total,
        card_brand=card[0] if card else None,
        card_last4=card[1] if card else None,
        statement_name="PILLARBOX",
        is_test=is_test,
    )


PURCHASE_RECEIPT = Kind(
    name="purchase_receipt",
    context=PurchaseReceipt,
    samples={
        "short": _sample(ReceiptLine("Letter paper, 50 sheets", 2, 1200, 1900), is_test=True),
        "long": _sample(
            *(
                ReceiptLine(
                    f"Postcard no. {number}, printed by hand on heavy cotton paper",
                    number % 9 + 1,
                    195,
                    700 if number % 2 else 1900,
                )
                for number in range(1, 100)
            ),
            ReceiptLine("The complete letter writer's cabinet", 1, 1_234_500, 1900),
        ),
        "scripts": _sample(
            ReceiptLine("Почтовая бумага «Нева»", 1, 980, 1900),
            ReceiptLine("便箋とインクの贈り物", 3, 1450, 1900),
            ReceiptLine("دفتر الرسائل", 1, 2200, 700),
            ReceiptLine("Σφραγίδα με βουλοκέρι ✉", 2, 640, 1900),
            buyer_name="Łucja Żółć-Nguyễn",
            buyer_address=("ул. Почтовая, д. 5", "東京都千代田区", "القاهرة"),
            seller_name="Bücher & Briefe",
            currency="CHF",
        ),
        "hostile": _sample(
            ReceiptLine(
                "<script>alert(1)</script></title><!-- &amp; {{ 7*7 }} {% raw %}", 1, 1, 1900
            ),
            ReceiptLine("A name of two hundred characters ".ljust(200, "m"), 1, 100, 1900),
            ReceiptLine("🎁🎉 O'Reilly & Sons", 1, 100, 1900),
            ReceiptLine("Donaudampfschifffahrtsgesellschaftskapitän" * 2, 99, 99_999_999, 700),
            ReceiptLine(
                "A | B [c](https://evil.example) **d** _e_ \\. \u202egnirts\u202c", 1, 250, 0
            ),
            buyer_name='O\'Reilly "<b>" & Söhne</script> '.ljust(200, "y"),
            buyer_address=("<img src=x onerror=alert(1)>", "%(name)s %s {0}", "--", "> quoted"),
            card=("<i>Visa</i>", "0000"),
        ),
        "zero": _sample(ReceiptLine("A postcard on the house", 1, 0, 1900), card=None),
    },
    time_to_live=timedelta(days=14),
    priority=Priority.RECEIPT,
    # A customer is entitled to every receipt. Nobody buys a hundred times a day, so only a bug can
    # reach this limit.
    limit=RateLimit(count=100, period=timedelta(days=1)),
    reports_purchase=True,
)
"""Thanks the customer for a purchase, and is its receipt."""
