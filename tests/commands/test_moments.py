"""Times as people type them for ``pillarbox emails``."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import click
import pytest

from app.commands.moments import MomentType

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 11, 30, tzinfo=UTC)
"""Half past twelve in Berlin."""


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("12:00", datetime(2026, 11, 28, 11, 0, tzinfo=UTC)),
        ("12:30", datetime(2026, 11, 28, 11, 30, tzinfo=UTC)),
        ("12:30:01", datetime(2026, 11, 27, 11, 30, 1, tzinfo=UTC)),
        ("13:00", datetime(2026, 11, 27, 12, 0, tzinfo=UTC)),
        ("9:05", datetime(2026, 11, 28, 8, 5, tzinfo=UTC)),
        ("2026-11-20", datetime(2026, 11, 19, 23, 0, tzinfo=UTC)),
        ("2026-07-01 12:00", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
        ("2026-07-01T12:00", datetime(2026, 7, 1, 10, 0, tzinfo=UTC)),
        ("2026-07-01T12:00Z", datetime(2026, 7, 1, 12, 0, tzinfo=UTC)),
        ("30m", NOW - timedelta(minutes=30)),
        ("2h", NOW - timedelta(hours=2)),
        (" 3d ", NOW - timedelta(days=3)),
    ],
)
def test_a_time_is_read_in_the_sites_time_zone(typed: str, meant: datetime) -> None:
    moment = MomentType().convert(typed, None, None)
    assert moment(NOW, BERLIN) == meant


def test_yesterdays_time_is_that_of_the_clock_when_the_clocks_changed_in_between() -> None:
    # The clocks went back on 25 October at 3:00.
    morning = datetime(2026, 10, 25, 6, 0, tzinfo=UTC)
    moment = MomentType().convert("20:00", None, None)
    assert moment(morning, BERLIN) == datetime(2026, 10, 24, 18, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "typed",
    ["", "noon", "25:00", "12", "12:60", "2026-13-01", "2026-11-28 noon", "2w", "-2h", "99999999d"],
)
def test_what_is_no_time_is_refused_with_examples(typed: str) -> None:
    with pytest.raises(click.BadParameter, match="Write 12:00, 2026-11-28"):
        MomentType().convert(typed, None, None)
