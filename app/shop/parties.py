"""Who sells and who buys, as emails and documents name them."""

from dataclasses import dataclass

from app.shop.models import Order


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


def seller_of(order: Order) -> Seller:
    """The seller, as the order keeps it."""
    return Seller(
        name=order.seller_name,
        address=tuple(order.seller_address.splitlines()),
        country=order.seller_country,
        email=order.seller_support_email,
        phone=order.seller_phone,
        vat_id=order.seller_vat_id,
        register=order.seller_register,
    )


def buyer_of(order: Order) -> Buyer:
    """The buyer, as the order keeps it."""
    return Buyer(order.buyer_name, tuple(order.buyer_address.splitlines()), order.buyer_country)
