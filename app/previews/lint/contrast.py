"""A9: the contrast of text in light and in dark mode, computed from the styles."""

from collections.abc import Iterator

from tinycss2.color3 import RGBA, parse_color

from app.mail.composing import palette
from app.previews.lint.cascade import Surroundings
from app.previews.lint.document import Element
from app.previews.lint.parsed_email import Finding, ParsedEmail

LEAST_FOR_LABELS = 4.5
"""The least ratio for links, and for labels on a coloured cell (WCAG 2.2, 1.4.3)."""
LEAST_FOR_TEXT = 7.0
"""The least ratio for all other text (WCAG 2.2, 1.4.6)."""


def contrast(email: ParsedEmail) -> Iterator[Finding]:
    """One finding for each pair of colours with too little contrast, at its first use."""
    for surroundings in Surroundings:
        seen: set[tuple[str, str, float]] = set()
        for element in email.document.visible:
            if not element.own_text.strip():
                continue
            text = email.cascade.value(element, "color", surroundings)
            background, surface = _background(email, element, surroundings)
            least = LEAST_FOR_LABELS if _is_label(element, surface) else LEAST_FOR_TEXT
            if (text, background, least) not in seen:
                seen.add((text, background, least))
                yield from _check_pair(element, surroundings, text, background, least)


def _check_pair(
    element: Element, surroundings: Surroundings, text: str, background: str, least: float
) -> Iterator[Finding]:
    text_colour, background_colour = colour(text), colour(background)
    if text_colour is None or background_colour is None:
        yield Finding(
            "A9",
            element.place,
            f"in {surroundings} surroundings {text or 'no colour'} stands on "
            f"{background or 'no colour'}, whose contrast cannot be computed",
            "Give both as #rrggbb",
        )
        return
    ratio = palette.contrast(text_colour, background_colour)
    if ratio < least:
        yield Finding(
            "A9",
            element.place,
            f"in {surroundings} surroundings {text} on {background} has a contrast of {ratio:.2f}",
            f"Choose colours of {least:g} or more",
        )


def colour(value: str) -> str | None:
    """An opaque colour, given in numbers such as ``#rgb`` or ``rgb(r, g, b)``, as ``#rrggbb``; None
    for any other value, also for a colour's name.
    """
    parsed = None if value.isalpha() else parse_color(value)
    if not isinstance(parsed, RGBA) or parsed.alpha < 1:
        return None
    return "#" + "".join(f"{round(255 * part):02x}" for part in parsed[:3])


def _background(
    email: ParsedEmail, element: Element, surroundings: Surroundings
) -> tuple[str, Element]:
    """The colour behind the element's text, and the element that has it."""
    surface = element
    for surface in element.lineage():
        value = email.cascade.value(surface, "background-color", surroundings)
        if value not in ("", "transparent"):
            return value, surface
    return "", surface


def _is_label(element: Element, surface: Element) -> bool:
    """Whether it is a link, or the label on a coloured cell, rather than text to read."""
    return element.closest("a") is not None or surface.tag not in ("body", "table", "div")
