"""The basket, with current prices.

The visitor's cookie holds product slugs and quantities. Prices come from the products, and may
change after the customer saw them. So the checkout compares the basket's ``fingerprint`` with what
the customer saw before it places the order.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shop import money
from app.shop.models import Product
from app.web.translation import _
from app.web.visitor import Visitor

MAX_QUANTITY = 99
"""The largest quantity of one product."""

NO_LONGER_SOLD = _("This product is no longer available. Remove it to continue.")
OTHER_CURRENCY = _(
    "This product is sold in a different currency. Remove it and order it separately."
)


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A product in a basket, with ``unit_price`` in minor units, ``vat_rate`` in basis points."""

    slug: str
    name: str
    quantity: int
    unit_price: int
    vat_rate: int
    picture: str | None = None
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
    def sums(self) -> money.Totals:
        """Net, VAT per rate and total of the lines that can be ordered."""
        return money.totals(line for line in self.lines if not line.problem)

    @property
    def fingerprint(self) -> str:
        """A hash of all that the customer sees: names, quantities, prices, currency, VAT rates."""
        seen = (
            self.id,
            self.currency,
            *(
                (line.slug, line.name, line.quantity, line.unit_price, line.vat_rate, line.problem)
                for line in self.lines
            ),
        )
        return hashlib.sha256(repr(seen).encode()).hexdigest()[:32]


def price_basket(session: Session, visitor: Visitor) -> PricedBasket:
    """The visitor's basket with current prices.

    An order has one currency: that of the first product that is still sold.
    """
    found = session.scalars(select(Product).where(Product.slug.in_(visitor.basket)))
    products = {product.slug: product for product in found}
    in_order = [products[slug] for slug in visitor.basket if slug in products]
    currency = next((product.currency for product in in_order if product.is_available), "")
    return PricedBasket(
        id=visitor.basket_id,
        currency=currency,
        lines=tuple(
            _line(slug, products.get(slug), quantity, currency)
            for slug, quantity in visitor.basket.items()
        ),
    )


def _line(slug: str, product: Product | None, quantity: int, currency: str) -> BasketLine:
    if product is None:
        return BasketLine(slug, slug, quantity, 0, 0, problem=NO_LONGER_SOLD)
    problem = None
    if not product.is_available:
        problem = NO_LONGER_SOLD
    elif product.currency != currency:
        problem = OTHER_CURRENCY
    return BasketLine(
        slug, product.name, quantity, product.price, product.vat_rate, product.picture, problem
    )
