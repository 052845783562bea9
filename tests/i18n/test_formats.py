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
