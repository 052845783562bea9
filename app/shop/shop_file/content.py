"""What a shop's file says, checked."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

Texts = tuple[tuple[str, str], ...]
"""Texts by language, the first for readers of every other language."""
NO_LANGUAGE = "und"
"""Stands for the language of a text that is written once for all readers (ISO 639-2)."""
ALWAYS = date(1970, 1, 1)
"""The first day of a rate that is given without one."""

PICTURE_TYPES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
"""The media type of a picture by the end of its name."""


@dataclass(frozen=True, slots=True)
class SellerEntry:
    """Who sells. What the seller does not have is empty."""

    name: str
    address: str
    """Postal address, with line breaks."""
    country: str
    """ISO 3166-1 alpha-2."""
    email: str
    phone: str
    vat_id: str
    register: str
    statement_name: str
    is_exempt: bool
    vat_sentence: Texts
    terms: Texts
    """The terms themselves, not the paths of their files."""


@dataclass(frozen=True, slots=True, order=True)
class RateEntry:
    """A rate of VAT in basis points, from ``starts_on`` on."""

    tax_class: str
    country: str
    """ISO 3166-1 alpha-2, or ``EU``."""
    starts_on: date
    rate: int


@dataclass(frozen=True, slots=True)
class ProductTexts:
    """What a product is called in a language."""

    locale: str
    name: str
    description: str
    format: str


@dataclass(frozen=True, slots=True)
class ProductEntry:
    """A download to buy. ``price`` is in minor units and includes VAT."""

    slug: str
    price: int
    tax_class: str
    file: Path
    picture: Path | None
    texts: tuple[ProductTexts, ...]

    @property
    def picture_type(self) -> str | None:
        """The picture's media type."""
        return PICTURE_TYPES[self.picture.suffix.lower()] if self.picture else None


@dataclass(frozen=True, slots=True)
class ShopFile:
    """A whole shop. Its rates are sorted."""

    currency: str
    seller: SellerEntry
    rates: tuple[RateEntry, ...]
    products: tuple[ProductEntry, ...]
