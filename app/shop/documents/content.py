"""All that a document says, as it is kept in ``shop_document.data``.

A document is made from this alone, so that it stays the same whatever becomes of the shop, and can
be made again from it. Amounts are in minor units and include VAT unless they say otherwise.
"""

from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any

from app.shop.models import DocumentKind
from app.shop.money import Tax
from app.shop.parties import Buyer, Seller


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a document. ``format`` says what is delivered, such as "PDF, 160 pages"."""

    name: str
    format: str
    quantity: int
    unit_price: int
    vat_rate: int
    """Basis points: 1900 is 19%."""
    total: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What the document of a refund says beside what every document says."""

    receipt_number: str
    """The receipt that it corrects. Empty when the payment was for no receipt, as one that came
    when the order was paid already. Then no goods were supplied for it, and it contains no VAT.
    """
    receipt_issued_at: datetime | None
    reason: str
    """In the seller's words. May be empty."""


@dataclass(frozen=True, slots=True)
class DocumentContent:
    """A receipt or the document of a refund (STANDARDS D9).

    ``lines`` of a refund are the goods that it refunds. It has none when it gives back an amount
    that belongs to no goods in particular.
    """

    kind: DocumentKind
    number: str
    """Such as ``2026-000042``, or ``T-2026-000001`` for a test."""
    is_test: bool
    locale: str
    issued_at: datetime
    ordered_at: datetime
    order_number: str
    seller: Seller
    buyer: Buyer
    currency: str
    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    """The sums at each rate; what of each is refunded."""
    vat_sentence: str
    """Why an exempt seller charges no VAT. If it is not empty, the document shows no VAT."""
    total: int
    """What was paid or refunded."""
    card_brand: str
    card_last4: str
    """Both empty when the provider does not tell."""
    statement_name: str
    """What the statement of the customer's card or bank shows. May be empty."""
    withdraw_until: datetime | None
    """The last moment in which the customer can withdraw. None for a refund."""
    correction: Correction | None = None
    """None for a receipt."""

    @property
    def net(self) -> int:
        """The total without VAT."""
        return self.total - sum(tax.vat for tax in self.taxes)

    def to_json(self) -> dict[str, Any]:
        """The content as values that JSON has. Times are in ISO 8601."""
        values: dict[str, Any] = _plain(self)
        return values

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "DocumentContent":
        """Read what ``to_json`` made. Raises ``KeyError``, ``TypeError`` or ``ValueError`` for
        anything else.
        """
        values = {field.name: data[field.name] for field in fields(cls)}
        correction = data["correction"]
        return cls(
            **values
            | {
                "kind": DocumentKind(data["kind"]),
                "issued_at": datetime.fromisoformat(data["issued_at"]),
                "ordered_at": datetime.fromisoformat(data["ordered_at"]),
                "withdraw_until": _time(data["withdraw_until"]),
                "seller": Seller(**_with_address(data["seller"])),
                "buyer": Buyer(**_with_address(data["buyer"])),
                "lines": tuple(Line(**line) for line in data["lines"]),
                "taxes": tuple(Tax(**tax) for tax in data["taxes"]),
                "correction": correction and _correction(correction),
            }
        )


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _with_address(party: dict[str, Any]) -> dict[str, Any]:
    return party | {"address": tuple(party["address"])}


def _correction(data: dict[str, Any]) -> Correction:
    return Correction(**data | {"receipt_issued_at": _time(data["receipt_issued_at"])})
