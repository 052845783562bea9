"""Reads ``[tax.CLASS]``: the rates of VAT."""

import re
from datetime import date, datetime
from decimal import Decimal

from app.shop.shop_file.content import ALWAYS, RateEntry
from app.shop.shop_file.countries import check_country
from app.shop.shop_file.problems import Where, quoted, shown_key
from app.shop.shop_file.tables import Table
from app.shop.tax import EU

_TAX_CLASS = re.compile(r"[a-z0-9_-]{1,32}")


def read_rates(tax: Table) -> list[RateEntry]:
    """The rates of all classes of the table ``[tax]``."""
    rates = []
    for name, values in tax.values.items():
        table = Table(tax.problems, values, ("tax", name), f"tax.{shown_key(name)}")
        if not _TAX_CLASS.fullmatch(name):
            table.problem((), "is no name for a class. Use a-z, 0-9, _ and -, 32 at most.")
            continue
        if isinstance(values, dict) and not values:
            table.problem((), "names no country. Add one, such as DE = 19, or delete it.")
        for country, value in table.values.items():
            if not check_country(table, country, country, EU):
                continue
            if not isinstance(value, list):
                value = [{"rate": value}]
            elif not value:
                table.problem(country, "has no rate. Write a number of percent, or delete it.")
            days = set()
            for i, entry in enumerate(value):
                at: Where = (*table.where, country, i)
                one = Table(table.problems, entry, at, f"{table.label}.{country}")
                one.allow(("rate", "from"))
                day, rate = _day(one), _basis_points(one)
                if day in days:
                    one.problem("from", f"is {day} twice. Give each rate a day of its own.")
                days.add(day)
                rates.append(RateEntry(name, country, day, rate))
    return rates


def _day(table: Table) -> date:
    day = table.values.get("from", ALWAYS)
    if isinstance(day, datetime) or not isinstance(day, date):
        table.problem("from", f"is {quoted(day)}. Write a day without quotes, such as 2026-01-01.")
        return ALWAYS
    return day


def _basis_points(table: Table) -> int:
    rate = table.values.get("rate")
    if isinstance(rate, int | Decimal) and not isinstance(rate, bool):
        rate = Decimal(rate)
        if rate.is_finite() and 0 <= rate <= 100 and rate == rate.quantize(Decimal("0.01")):
            return int(rate * 100)
    table.problem(
        "rate",
        f"is {quoted(rate)}. Write a number of percent from 0 to 100 with at most two decimals.",
    )
    return 0
