"""The receipt of a purchase, which is also the confirmation of the contract."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from app.i18n.formats import amount
from app.mail.kinds import Kind, Priority, RateLimit
from app.shop import money
from app.shop.parties import Buyer, Seller

MAX_OFFERS = 20
"""How many lines the structured data lists, because Gmail cuts off an email over 102 KB.

The table lists every line.
"""


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """A line of a receipt: ``unit_price`` in minor units with VAT, ``vat_rate`` in basis points.
    ``format`` says what is delivered, such as "PDF, 160 pages".
    """

    name: str
    quantity: int
    unit_price: int
    vat_rate: int
    format: str = ""

    @property
    def total(self) -> int:
        """The line's amount in minor units."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class PurchaseReceipt:
    """All that a receipt says (STANDARDS D9), and all that the confirmation of a contract says on
    a durable medium (Directive 2011/83/EU, Article 8(7)).
    """

    order_number: str
    receipt_number: str
    ordered_at: datetime
    issued_at: datetime
    link: str
    """The order's page."""
    seller: Seller
    buyer: Buyer
    currency: str
    lines: tuple[ReceiptLine, ...]
    taxes: tuple[money.Tax, ...]
    net: int
    total: int
    vat_sentence: str
    """Why an exempt seller charges no VAT. Empty when VAT is charged; else no VAT is shown."""
    card_brand: str | None
    card_last4: str | None
    statement_name: str | None
    """What the card statement will show. None when the provider did not say."""
    withdraw_link: str
    withdraw_until: datetime
    """The last moment of the last day on which the customer can withdraw."""
    consent_at: datetime | None
    """When the customer asked for the downloads at once, knowing what that costs. None without
    that consent.
    """
    opens_at: datetime | None
    """When the downloads open without consent. None when they are open."""
    has_terms: bool
    """The terms of the order are attached."""
    has_pdf: bool
    """The receipt is attached as a PDF."""
    is_test: bool
    is_copy: bool = False
    """The customer asked for the receipt again."""
    structured_data: Mapping[str, Any] = field(init=False)
    """A schema.org Order, for mail programs that show purchases (STANDARDS A14)."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "structured_data", _structured_data(self))


def _structured_data(receipt: PurchaseReceipt) -> dict[str, Any]:
    def decimal(minor: int) -> str:
        return f"{amount(minor, receipt.currency):f}"

    return {
        "@context": "https://schema.org",
        "@type": "Order",
        "merchant": {"@type": "Organization", "name": receipt.seller.name},
        "customer": {"@type": "Person", "name": receipt.buyer.name},
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


def receipt_kind(samples: Mapping[str, PurchaseReceipt]) -> Kind:
    """The kind of the receipt, with these samples."""
    return Kind(
        name="purchase_receipt",
        context=PurchaseReceipt,
        samples=samples,
        time_to_live=timedelta(days=14),
        priority=Priority.RECEIPT,
        # A customer is entitled to every receipt. Nobody buys a hundred times a day, so only a bug
        # can reach this limit.
        limit=RateLimit(count=100, period=timedelta(days=1)),
        reports_purchase=True,
    )
