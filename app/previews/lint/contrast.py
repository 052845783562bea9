"""A9: contrast in light and in dark surroundings, computed from the styles of the email."""

from collections.abc import Iterator

from tinycss2.color3 import RGBA, parse_color

from app.mail.composing import palette
from app.previews.lint.cascade import Surroundings
from app.previews.lint.document import Element
from app.previews.lint.finding import Finding
from app.previews.lint.parsed_email import ParsedEmail

READABLE = 4.5
"""The ratio for links, and for labels on a cell of their own colour (WCAG 2.2, 1.4.3)."""
COMFORTABLE = 7.0
"""The ratio for everything that is read (WCAG 2.2, 1.4.6)."""


def contrast(email: ParsedEmail) -> Iterator[Finding]:
    """Each pair of colours that is too close is reported once, where it is first seen."""
    for surroundings in Surroundings:
        seen: set[tuple[str, str, float]] = set()
        for element in email.document.visible:
            if not element.own_text.strip():
                continue
            text = email.cascade.value(element, "color", surroundings)
            ground, surface = _background(email, element, surroundings)
            least = COMFORTABLE if _is_read(element, surface) else READABLE
            if (text, ground, least) not in seen:
                seen.add((text, ground, least))
                yield from _pair(element, surroundings, text, ground, least)


def _pair(
    element: Element, surroundings: Surroundings, text: str, ground: str, least: float
) -> Iterator[Finding]:
    on_top, below = colour(text), colour(ground)
    if on_top is None or below is None:
        yield Finding(
            "A9",
            element.place,
            f"in {surroundings} surroundings {text or 'no colour'} stands on "
            f"{ground or 'no colour'}, whose contrast nobody can compute",
            "Give both as #rrggbb",
        )
        return
    ratio = palette.contrast(on_top, below)
    if ratio < least:
        yield Finding(
            "A9",
            element.place,
            f"in {surroundings} surroundings {text} on {ground} has a contrast of {ratio:.2f}",
            f"Choose colours of {least:g} or more",
        )


def colour(value: str) -> str | None:
    """The opaque colour that a CSS value names, as ``#rrggbb``; None when it names none."""
    parsed = parse_color(value)
    if not isinstance(parsed, RGBA) or parsed.alpha < 1:
        return None
    return "#" + "".join(f"{round(255 * part):02x}" for part in parsed[:3])


def _background(
    email: ParsedEmail, element: Element, surroundings: Surroundings
) -> tuple[str, Element]:
    """The colour behind the element's text, and the element that has it."""
    ground = element
    for ground in element.lineage():
        value = email.cascade.value(ground, "background-color", surroundings)
        if value not in ("", "transparent"):
            return value, ground
    return "", ground


def _is_read(element: Element, surface: Element) -> bool:
    """Whether it is text to read: neither a link nor a label on a coloured cell of its own."""
    return element.closest("a") is None and surface.tag in ("body", "table", "div")
