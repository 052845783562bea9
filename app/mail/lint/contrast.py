"""A9: contrast in light and in dark surroundings, computed from the styles of the email."""

import re
from collections.abc import Iterator

from app.mail.lint.cascade import Palette
from app.mail.lint.document import Element
from app.mail.lint.finding import Finding
from app.mail.lint.rendered import Rendered

READABLE = 4.5
"""The ratio for links, and for labels on a cell of their own colour (WCAG 2.2, 1.4.3)."""
COMFORTABLE = 7.0
"""The ratio for everything that is read (WCAG 2.2, 1.4.6)."""

Colour = tuple[int, int, int]


def contrast(email: Rendered) -> Iterator[Finding]:
    """Each pair of colours that is too close is reported once, where it is first seen."""
    for palette in Palette:
        seen: set[tuple[str, str, float]] = set()
        for element in email.document.visible:
            if not element.own_text.strip():
                continue
            text = email.cascade.value(element, "color", palette)
            ground, surface = _background(email, element, palette)
            least = COMFORTABLE if _is_read(element, surface) else READABLE
            if (text, ground, least) not in seen:
                seen.add((text, ground, least))
                yield from _pair(element, palette, text, ground, least)


def _pair(
    element: Element, palette: Palette, text: str, ground: str, least: float
) -> Iterator[Finding]:
    colours = [colour(text), colour(ground)]
    if colours[0] is None or colours[1] is None:
        yield Finding(
            "A9",
            element.place,
            f"in the {palette} palette {text or 'no colour'} stands on {ground or 'no colour'}, "
            "whose contrast nobody can compute",
            "Give both as #rrggbb",
        )
        return
    ratio = contrast_ratio(colours[0], colours[1])
    if ratio < least:
        yield Finding(
            "A9",
            element.place,
            f"in the {palette} palette {text} on {ground} has a contrast of {ratio:.2f}",
            f"Choose colours of {least:g} or more",
        )


def contrast_ratio(one: Colour, other: Colour) -> float:
    """From 1 (the same) to 21 (black and white), as WCAG 2.2 defines it."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def colour(value: str) -> Colour | None:
    """The colour that ``#rgb``, ``#rrggbb`` or ``rgb(r, g, b)`` names; None for any other way."""
    digits = value.strip().lower()
    if re.fullmatch("#[0-9a-f]{3}", digits):
        digits = "#" + "".join(2 * digit for digit in digits[1:])
    if re.fullmatch("#[0-9a-f]{6}", digits):
        return int(digits[1:3], 16), int(digits[3:5], 16), int(digits[5:], 16)
    match = re.fullmatch(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)", digits)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def _luminance(channels: Colour) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (channel / 255 for channel in channels)
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _background(email: Rendered, element: Element, palette: Palette) -> tuple[str, Element]:
    """The colour behind the element's text, and the element that has it."""
    ground = element
    for ground in element.lineage():
        value = email.cascade.value(ground, "background-color", palette)
        if value not in ("", "transparent"):
            return value, ground
    return "", ground


def _is_read(element: Element, surface: Element) -> bool:
    """Whether it is text to read: neither a link nor a label on a coloured cell of its own."""
    return element.inside("a") is None and surface.tag in ("body", "table", "div")
