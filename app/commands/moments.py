"""Times as people type them: ``12:00``, ``2026-11-28``, ``2026-11-28 12:00``, ``2h`` or ``3d``."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta, tzinfo

import click

_AGO = re.compile(r"([0-9]{1,6})([mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}.*")
DAY = timedelta(days=1)

Moment = Callable[[datetime, tzinfo], datetime]
"""A typed time: gives the point in time for a "now" and a time zone. Raises ``OverflowError`` for
what no calendar holds.
"""


class MomentType(click.ParamType[Moment]):
    """The type of an option that takes a ``Moment``."""

    name = "time"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> Moment:
        """Read the time. A mistake is one of usage."""
        try:
            moment = _read(value.strip())
        except ValueError:
            moment = None
        if moment is None:
            self.fail(
                f"{value!r} is no time. Write 12:00, 2026-11-28, '2026-11-28 12:00', 2h or 3d.",
                param,
                ctx,
            )
        return moment


def _read(text: str) -> Moment | None:
    """The moment. None, or ``ValueError``, for what is none."""
    if ago := _AGO.fullmatch(text):
        span = int(ago[1]) * _UNITS[ago[2]]
        return lambda now, _: now - span
    if _CLOCK.fullmatch(text):
        clock = time.fromisoformat(text.zfill(5) if text.count(":") == 1 else text.zfill(8))
        return lambda now, zone: latest(clock, now, zone)
    if _DATE.fullmatch(text):
        written = datetime.fromisoformat(text)
        if written.tzinfo is not None:
            return lambda *_: written.astimezone(UTC)
        return lambda _, zone: written.replace(tzinfo=zone).astimezone(UTC)
    return None


def latest(clock: time, now: datetime, zone: tzinfo) -> datetime:
    """When it was last ``clock`` in ``zone``: today, or yesterday."""
    here = now.astimezone(zone)
    today = datetime.combine(here.date(), clock, zone)
    return (today if today <= here else today - DAY).astimezone(UTC)
