"""Which rate of VAT a product has in the buyer's country, and where it can be sold."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shop.models import Seller, TaxRate

EU = "EU"
"""Stands for every member of the European Union in a table of rates."""
_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU_MEMBERS = frozenset(_MEMBERS.split())
"""ISO 3166-1 alpha-2."""


@dataclass(frozen=True, slots=True)
class TaxRates:
    """The rates of a day, in basis points by class and country.

    With an exempt seller every rate is 0, and the countries are those where the seller sells.
    """

    rates: dict[tuple[str, str], int]

    def rate(self, tax_class: str, country: str) -> int | None:
        """The rate in basis points; None when nothing of the class is sold to the country."""
        own = self.rates.get((tax_class, country))
        if own is None and country in EU_MEMBERS:
            return self.rates.get((tax_class, EU))
        return own

    def countries(self, tax_classes: Iterable[str]) -> tuple[str, ...]:
        """The countries that have a rate for every one of the classes, in alphabetical order."""
        allowed: set[str] | None = None
        for tax_class in set(tax_classes):
            named = {country for name, country in self.rates if name == tax_class}
            if EU in named:
                named = (named - {EU}) | EU_MEMBERS
            allowed = named if allowed is None else allowed & named
        return tuple(sorted(allowed or ()))


def rates_of(session: Session, seller: Seller, day: date) -> TaxRates:
    """The rates that are in force on ``day`` in ``site.time_zone``."""
    rates: dict[tuple[str, str], int] = {}
    in_force = (
        select(TaxRate)
        .where(TaxRate.starts_on <= day)
        .order_by(TaxRate.tax_class, TaxRate.country, TaxRate.starts_on)
    )
    for row in session.scalars(in_force):
        rates[row.tax_class, row.country] = 0 if seller.is_exempt else row.rate
    return TaxRates(rates)
