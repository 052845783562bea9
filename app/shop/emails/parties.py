"""Who sells and who buys, as emails name them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seller:
    """The seller of an order, as it was when the order was placed (STANDARDS D2).

    ``country`` is a code of ISO 3166, such as ``DE``. What the seller does not have is empty.
    """

    name: str
    address: tuple[str, ...]
    """The lines of the postal address."""
    country: str
    email: str
    phone: str = ""
    vat_id: str = ""
    register: str = ""
    """Where the seller is registered, such as "Amtsgericht Sampleton, HRB 1234"."""


@dataclass(frozen=True, slots=True)
class Buyer:
    """The buyer of an order. ``country`` is a code of ISO 3166. The address may have no lines."""

    name: str
    address: tuple[str, ...]
    country: str
