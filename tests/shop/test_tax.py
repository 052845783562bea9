"""Rates of VAT by class, country and day."""

from datetime import date

from app.database.engine import Database
from app.shop.models import Seller, TaxRate
from app.shop.tax import EU_MEMBERS, TaxRates, rates_of

SELLER = Seller(is_exempt=False)


def test_a_countrys_own_rate_wins_over_the_one_for_the_eu() -> None:
    rates = TaxRates({("book", "EU"): 1000, ("book", "DE"): 700, ("book", "CH"): 260})

    assert rates.rate("book", "DE") == 700
    assert rates.rate("book", "FR") == 1000
    assert rates.rate("book", "CH") == 260
    assert rates.rate("book", "NO") is None
    assert rates.rate("paper", "DE") is None


def test_a_basket_is_sold_where_each_of_its_classes_has_a_rate() -> None:
    rates = TaxRates({("book", "EU"): 1000, ("book", "CH"): 260, ("paper", "DE"): 1900})

    assert rates.countries(["book"]) == tuple(sorted({*EU_MEMBERS, "CH"}))
    assert rates.countries(["book", "paper"]) == ("DE",)
    assert rates.countries(["book", "stone"]) == ()
    assert rates.countries([]) == ()


def test_a_rate_is_in_force_from_its_day_on(plain_database: Database) -> None:
    with plain_database.transaction(write=True) as session:
        for day, rate in ((date(2020, 7, 1), 1600), (date(2007, 1, 1), 1900)):
            session.add(TaxRate(tax_class="paper", country="DE", starts_on=day, rate=rate))
        session.flush()

        def rate_on(year: int, month: int, day: int) -> int | None:
            return rates_of(session, SELLER, date(year, month, day)).rate("paper", "DE")

        assert rate_on(2006, 12, 31) is None
        assert rate_on(2007, 1, 1) == rate_on(2020, 6, 30) == 1900
        assert rate_on(2020, 7, 1) == 1600


def test_an_exempt_seller_sells_in_the_same_countries_without_vat(
    plain_database: Database,
) -> None:
    with plain_database.transaction(write=True) as session:
        session.add(TaxRate(tax_class="paper", country="DE", starts_on=date(2007, 1, 1), rate=1900))
        session.flush()
        rates = rates_of(session, Seller(is_exempt=True), date(2026, 1, 1))

    assert rates.rate("paper", "DE") == 0
    assert rates.countries(["paper"]) == ("DE",)
