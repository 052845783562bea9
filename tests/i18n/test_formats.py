"""Amounts, rates, dates and durations as two languages write them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.i18n import formats

MOMENT = datetime(2026, 11, 22, 17, 49, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("language", "written"),
    [
        ("en", ["€1,234.50", "7.7%", "November 22, 2026", "Nov 22, 2026, 5:49\u202fPM\xa0UTC"]),
        ("de", ["1.234,50\xa0€", "7,7\xa0%", "22. November 2026", "22.11.2026, 17:49\xa0UTC"]),
    ],
)
def test_every_language_writes_in_its_own_way(language: str, written: list[str]) -> None:
    assert [
        formats.money(123_450, "EUR", language),
        formats.percent(770, language),
        formats.date(MOMENT, language),
        formats.date_time(MOMENT, language),
    ] == written


HUNDREDTHS = ["ALL", "AFN", "IRR", "KPW", "LAK", "LBP", "MGA", "MMK", "RSD", "SOS", "SYP", "YER"]
"""Currencies that have a hundredth, which nobody writes any more."""


@pytest.mark.parametrize("currency", HUNDREDTHS)
def test_a_minor_unit_that_nobody_writes_still_counts(currency: str) -> None:
    assert formats.money(1_234_500, currency, "en").endswith("12,345")
    assert formats.amount(1_234_500, currency) == 12_345


@pytest.mark.parametrize(
    ("minor", "currency", "written"),
    [
        (1_234_500, "JPY", "¥1,234,500"),
        (1_234_500, "HUF", "HUF12,345.00"),
        (1_234_500, "KWD", "KWD1,234.500"),
        (12_345_000, "IQD", "IQD12,345"),
        (1_234_500, "CLF", "CLF123.4500"),
        (0, "RSD", "RSD0"),
        # What was paid is never rounded.
        (1_234_550, "RSD", "RSD12,345.50"),
        (1_234_567, "IQD", "IQD1,234.567"),
    ],
)
def test_amounts_follow_iso_4217(minor: int, currency: str, written: str) -> None:
    assert formats.money(minor, currency, "en") == written


def test_an_amount_that_is_not_rounded_keeps_the_pattern_of_its_language() -> None:
    assert formats.money(1_234_550, "RSD", "de") == "12.345,50\xa0RSD"
    assert formats.money(1_234_550, "EUR", "de") == "12.345,50\xa0€"


@pytest.mark.parametrize(
    ("length", "english", "german"),
    [
        (timedelta(minutes=30), "30 minutes", "30 Minuten"),
        (timedelta(minutes=1, seconds=1), "2 minutes", "2 Minuten"),
        (timedelta(hours=1), "1 hour", "1 Stunde"),
        (timedelta(hours=24), "24 hours", "24 Stunden"),
        (timedelta(days=3), "3 days", "3 Tage"),
    ],
)
def test_durations_are_whole_and_never_too_short(
    length: timedelta, english: str, german: str
) -> None:
    assert formats.duration(length, "en") == english
    assert formats.duration(length, "de") == german


@pytest.mark.parametrize(
    ("zone", "written"),
    [
        ("Asia/Tokyo", ["November 23, 2026", "Nov 23, 2026, 2:49 AM JST"]),
        ("America/New_York", ["November 22, 2026", "Nov 22, 2026, 12:49 PM EST"]),
        ("America/Sao_Paulo", ["November 22, 2026", "Nov 22, 2026, 2:49 PM UTC-03"]),
    ],
)
def test_days_and_hours_are_those_of_a_time_zone(zone: str, written: list[str]) -> None:
    info = ZoneInfo(zone)
    found = [formats.date(MOMENT, "en", info), formats.date_time(MOMENT, "en", info)]
    assert [" ".join(text.split()) for text in found] == written


@pytest.mark.parametrize(("locale", "text"), [("en", "1,205.6"), ("de", "1.205,6")])
def test_a_size_is_written_with_the_languages_point(locale: str, text: str) -> None:
    assert formats.decimal(1205.64, locale) == text


@pytest.mark.parametrize(
    ("code", "locale", "name"),
    [("DE", "en", "Germany"), ("DE", "de", "Deutschland"), ("XX", "en", "XX"), ("", "de", "")],
)
def test_a_country_has_its_name_in_the_language(code: str, locale: str, name: str) -> None:
    assert formats.country(code, locale) == name
