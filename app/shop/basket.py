"""The basket, with current prices.

The visitor's cookie holds product slugs and quantities. Prices come from the products, and may
change after the customer saw them. So the checkout compares the basket's ``fingerprint`` with what
the customer saw before it places the order.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shop.models import Product, Seller
from app.web.translation import _
from app.web.visitor import Visitor

MAX_QUANTITY = 99
"""The largest quantity of one product."""

NO_LONGER_SOLD = _("This product is no longer available. Remove it to continue.")


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A product in a basket, with ``unit_price`` in minor units. The price includes VAT.

    ``product`` is None when the shop has none of this slug any more.
    """

    slug: str
    name: str
    quantity: int
    unit_price: int
    product: Product | None = None
    format: str = ""
    problem: str | None = None
    """Why it cannot be ordered, as a translation string for the customer."""

    @property
    def total(self) -> int:
        """The line's amount in minor units."""
        return self.quantity * self.unit_price


@dataclass(frozen=True, slots=True)
class PricedBasket:
    """A basket with current prices."""

    id: str
    currency: str
    lines: tuple[BasketLine, ...]

    @property
    def can_be_ordered(self) -> bool:
        """Whether the basket is not empty and no line has a problem."""
        return bool(self.lines) and not any(line.problem for line in self.lines)

    @property
    def total(self) -> int:
        """What the lines cost that can be ordered, in minor units."""
        return sum(line.total for line in self.lines if not line.problem)

    @property
    def tax_classes(self) -> frozenset[str]:
        """The classes of VAT in the basket."""
        return frozenset(line.product.tax_class for line in self.lines if line.product)

    @property
    def fingerprint(self) -> str:
        """A hash of all that the customer sees: names, formats, quantities, prices, currency."""
        seen = (
            self.id,
            self.currency,
            *(
                (line.slug, line.name, line.format, line.quantity, line.unit_price, line.problem)
                for line in self.lines
            ),
        )
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def price_basket(session: Session, visitor: Visitor, locale: str) -> PricedBasket:
    """The visitor's basket with current prices, and names in the visitor's language."""
    found = session.scalars(select(Product).where(Product.slug.in_(visitor.basket)))
    products = {product.slug: product for product in found}
    seller = session.get(Seller, 1)
    return PricedBasket(
        id=visitor.basket_id,
        currency=seller.currency if seller else "",
        lines=tuple(
            _line(slug, products.get(slug), quantity, locale)
            for slug, quantity in visitor.basket.items()
        ),
    )


def _line(slug: str, product: Product | None, quantity: int, locale: str) -> BasketLine:
    if product is None:
        return BasketLine(slug, slug, quantity, 0, problem=NO_LONGER_SOLD)
    text = product.text(locale)
    return BasketLine(
        slug,
        text.name,
        quantity,
        product.price,
        product,
        text.format,
        problem=None if product.is_available else NO_LONGER_SOLD,
    )
