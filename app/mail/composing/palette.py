"""The colours of every email, from the one that an owner chooses.

Whatever it is, words stay readable: what is written on it is black or white, and where it colours
words it is darkened or lightened until its contrast is 4.5 (WCAG 2.2, 1.4.3).
"""

from collections.abc import Iterator
from dataclasses import dataclass

LEAST_CONTRAST = 4.5

LETTER, INK, QUIET = "#ffffff", "#23201d", "#5c554e"
"""Paper, words and small words on a light screen."""
DARK_PAGE, DARK_LETTER, DARK_INK, DARK_QUIET = "#171513", "#23201d", "#f4f1ec", "#c9c1b6"
"""The same on a dark one, and what lies around the paper."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as ``#rrggbb``, by what they are for."""

    accent: str
    on_accent: str
    link: str
    dark_link: str
    page: str
    letter: str = LETTER
    ink: str = INK
    quiet: str = QUIET
    line: str = "#e3ddd4"
    dark_page: str = DARK_PAGE
    dark_letter: str = DARK_LETTER
    dark_ink: str = DARK_INK
    dark_quiet: str = DARK_QUIET
    dark_line: str = "#4a443e"


def palette(accent: str, page: str) -> Palette:
    """The palette around an owner's ``accent``; ``page`` is what lies around the paper."""
    return Palette(
        accent=accent,
        # One of the two always has enough: their contrasts multiply to 21, and 4.5 squared is less.
        on_accent=max("#ffffff", "#000000", key=lambda colour: contrast(colour, accent)),
        link=_readable(accent, on=LETTER, towards=0),
        dark_link=_readable(accent, on=DARK_LETTER, towards=255),
        page=page,
    )


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _readable(colour: str, *, on: str, towards: int) -> str:
    """``colour``, moved towards black or white just as far as it takes to be read."""
    return next(
        shade for shade in _shades(colour, towards) if contrast(shade, on) >= LEAST_CONTRAST
    )


def _shades(colour: str, towards: int) -> Iterator[str]:
    channels = _channels(colour)
    for step in range(101):
        moved = (round(channel + (towards - channel) * step / 100) for channel in channels)
        yield "#" + "".join(f"{channel:02x}" for channel in moved)


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _luminance(colour: str) -> float:
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (value / 255 for value in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
