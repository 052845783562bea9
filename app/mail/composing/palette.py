"""The colours of every email, made from the accent colour that the shop's owner chooses.

Text stays readable with any accent: text on the accent is black or white, and the accent of links
is darkened or lightened until its contrast is at least 4.5 (WCAG 2.2, 1.4.3).
"""

from dataclasses import dataclass

LEAST_CONTRAST = 4.5

LETTER, INK, QUIET = "#ffffff", "#23201d", "#5c554e"
"""The email's background, its text and its small text, in light mode."""
DARK_PAGE, DARK_LETTER, DARK_INK, DARK_QUIET = "#171513", "#23201d", "#f4f1ec", "#c9c1b6"
"""The same in dark mode, after the colour around the email."""


@dataclass(frozen=True, slots=True)
class Palette:
    """Colours as ``#rrggbb``: ``letter`` is the email's background, ``page`` the colour around it,
    ``ink`` text, ``quiet`` small text, and ``line`` the lines of tables.
    """

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
    """The palette for an ``accent`` and the ``page`` colour around the email, as ``#rrggbb``."""
    return Palette(
        accent=accent,
        # One of the two always has a contrast of 4.5: the product of their contrasts is 21.
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
    """``colour``, moved towards black (0) or white (255) until its contrast on ``on`` is enough."""
    for step in range(101):
        moved = [round(c + (towards - c) * step / 100) for c in _channels(colour)]
        shade = "#" + bytes(moved).hex()
        if contrast(shade, on) >= LEAST_CONTRAST:
            break
    return shade


def _channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue


def _luminance(colour: str) -> float:
    linear = [
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (value / 255 for value in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
