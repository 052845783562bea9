"""How amounts, dates and durations are written, in pages and in emails alike. Babel only formats;
it never computes.
"""

from copy import copy
from datetime import UTC, datetime, timedelta, tzinfo
from datetime import date as calendar_day
from decimal import Decimal
from functools import lru_cache
from math import ceil
from typing import Literal

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta, get_datetime_format
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision

NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"

_EXPONENTS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"), 0),
    **dict.fromkeys(("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
"""The currencies of ISO 4217 whose minor unit is not a hundredth: how many decimals it has."""


def decimals(currency: str) -> int:
    """How many decimals an amount has by ISO 4217: 2 for EUR, 0 for JPY."""
    return _EXPONENTS.get(currency, 2)


def amount(minor: int, currency: str) -> Decimal:
    """An amount in minor units as a number, with the decimals that ISO 4217 gives the currency.

    Babel knows only how many decimals people write: none for RSD, whose minor unit is a hundredth.
    """
    return Decimal(minor).scaleb(-decimals(currency))


@lru_cache(maxsize=10_000)  # Prices repeat, and Babel is the slowest part of a page.
def money(minor: int, currency: str, locale: str) -> str:
    """An amount in minor units, such as 2400 EUR cents: ``€24.00`` in English, ``24,00 €`` in
    German. A line never breaks inside it.

    It has as many decimals as people write in this currency, or more: a receipt rounds nothing.
    """
    value = amount(minor, currency)
    if value == round(value, get_currency_precision(currency)):
        written = format_currency(value, currency, locale=locale)
    else:
        pattern = copy(Locale.parse(locale).currency_formats["standard"])
        pattern.frac_prec = (decimals(currency), decimals(currency))
        written = format_currency(value, currency, pattern, locale, currency_digits=False)
    return written.replace(" ", NO_BREAK_SPACE)


@lru_cache(maxsize=1000)
def percent(basis_points: int, locale: str) -> str:
    """A rate in hundredths of a percent: 1900 is ``19%``, 770 is ``7.7%``."""
    return format_percent(
        Decimal(basis_points) / 10_000, locale=locale, decimal_quantization=False
    ).replace(" ", NO_BREAK_SPACE)


def decimal(value: float, locale: str) -> str:
    """A number with one digit after the point: ``5.6``."""
    return format_decimal(value, format="#,##0.0", locale=locale)


def number(value: int, locale: str) -> str:
    """A whole number: ``10,000``."""
    return format_decimal(value, format="#,##0", locale=locale)


def date(value: datetime, locale: str, zone: tzinfo = UTC) -> str:
    """A day: ``November 22, 2026``. ``zone`` decides which day it is."""
    return _day(value.astimezone(zone).date(), "long", locale)


def date_time(value: datetime, locale: str, zone: tzinfo = UTC) -> str:
    """A day and time, with the time zone's name: ``Nov 22, 2026, 5:49 PM UTC``."""
    local = value.astimezone(zone)
    day = _day(local.date(), "medium", locale)
    # Babel converts an aware time to UTC, so it gets a naive one.
    time = format_time(local.replace(tzinfo=None), "short", locale=locale)
    # In Babel's pattern {0} is the time and {1} the day. Quotes surround literal text.
    pattern = str(get_datetime_format("medium", locale)).replace("'", "")
    return f"{pattern.format(time, day)}{NO_BREAK_SPACE}{_zone_name(local)}"


@lru_cache(maxsize=1000)  # Emails of one day write the same days.
def _day(day: calendar_day, length: Literal["medium", "long"], locale: str) -> str:
    return format_date(day, length, locale)


def _zone_name(local: datetime) -> str:
    """``CET``, or ``UTC+03`` where the zone has no letters of its own."""
    name = local.tzname() or ""
    return name if name.isalpha() else f"UTC{name}"


@lru_cache(maxsize=1000)
def country(code: str, locale: str) -> str:
    """A country's name by its code of ISO 3166: ``Germany`` for ``DE``. An unknown code stays."""
    return str(Locale.parse(locale).territories.get(code, code))


def duration(value: timedelta, locale: str) -> str:
    """A length of time rounded up to whole minutes, hours or days: ``30 minutes``, ``24 hours``."""
    seconds = value.total_seconds()
    granularity: Literal["minute", "hour", "day"]
    if seconds < 3600:
        granularity, rounded = "minute", timedelta(minutes=ceil(seconds / 60))
    elif seconds <= 48 * 3600:
        granularity, rounded = "hour", timedelta(hours=ceil(seconds / 3600))
    else:
        granularity, rounded = "day", timedelta(days=ceil(seconds / 86400))
    return format_timedelta(rounded, granularity=granularity, threshold=1e9, locale=locale)
