"""A9: buttons high enough for a thumb, and nothing wider than a screen of 320 px."""

import re
from collections.abc import Iterator

from app.previews.lint import document
from app.previews.lint.cascade import pixels
from app.previews.lint.parsed_email import Finding, ParsedEmail

LEAST_BUTTON_HEIGHT = 44
"""CSS pixels (WCAG 2.2, 2.5.5)."""
NARROWEST_SCREEN = 320
"""CSS pixels."""
LONGEST_WORD = 30
"""The number of characters that fit into a line on the narrowest screen."""

_AMOUNT = re.compile(
    r"[€$£¥₹] \d|\b(?:EUR|USD|GBP|CHF|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK) \d"
    r"|\d (?:[€$£¥₹]|EUR\b|USD\b|GBP\b|CHF\b|JPY\b|CAD\b|AUD\b|SEK\b|NOK\b|DKK\b|PLN\b|CZK\b)"
)
_LONG_WORD = re.compile(rf"[\x21-\x2c\x2e-\x7e\xa1-\u024f]{{{LONGEST_WORD + 1},}}")


def buttons(email: ParsedEmail) -> Iterator[Finding]:
    """A link that looks like a button is high enough in every program."""
    for link in email.document.all("a"):
        style = email.cascade.declared(link)
        if not {"padding", "background-color", "display"} & style.keys():
            continue
        if style.get("display") not in ("inline-block", "block"):
            yield Finding("A9", link.place, "has no height as a button", "Say display:inline-block")
        line = pixels(email.cascade.value(link, "line-height"))
        cell = link.closest("td")
        if line is None:
            yield Finding("A9", link.place, "its line-height is not in px", "Give it in px")
            continue
        if cell is None or not cell.get("bgcolor"):
            yield Finding(
                "A9", link.place, "stands in no coloured cell", "Put it in a <td bgcolor>"
            )
            continue
        if any("border" in name and name != "border-radius" for name in style):
            yield Finding(
                "A9", link.place, "is drawn with borders", "Use padding, and mso-padding-alt"
            )
        # Classic Outlook ignores a link's padding; there the cell's padding makes the height.
        for name, element, program in (
            ("padding", link, "a browser"),
            ("mso-padding-alt", cell, "Outlook"),
        ):
            declared = email.cascade.declared(element)
            sides = [pixels(declared.get(f"{name}-{side}", "0")) or 0 for side in ("top", "bottom")]
            height = line + sum(sides)
            if height < LEAST_BUTTON_HEIGHT:
                yield Finding(
                    "A9",
                    element.place,
                    f"in {program} the button is {height:g} px high",
                    f"Raise {name}: {LEAST_BUTTON_HEIGHT} px is the least",
                )


def amounts(email: ParsedEmail) -> Iterator[Finding]:
    """An amount and its currency cannot be broken into two lines."""
    for row in email.document.all("tr"):
        for cell in document.amounts(row):
            if email.cascade.value(cell, "white-space") != "nowrap":
                yield Finding("A9", cell.place, "an amount may wrap", "Say white-space:nowrap")
    for element in email.document.visible:
        nowrap = email.cascade.value(element, "white-space") == "nowrap"
        for match in _AMOUNT.finditer(element.own_text):
            if not nowrap and match[0] not in email.expected.given_text:
                yield Finding(
                    "A9",
                    element.place,
                    f"{match[0]!r} may be broken",
                    "Use the filter money, which writes a no-break space",
                )


def width(email: ParsedEmail) -> Iterator[Finding]:
    """Nothing is wider than the narrowest screen. Each max-width has a table for classic Outlook,
    which ignores max-width.
    """
    outlook_tables = "".join(
        text for text, _ in email.document.comments if text.startswith("[if mso")
    )
    for element in email.document.all():
        declared = email.cascade.declared(element)
        fixed = [element.get("width"), declared.get("width", ""), declared.get("min-width", "")]
        if any(max(pixels(value) or 0, _unitless(value)) > NARROWEST_SCREEN for value in fixed):
            yield Finding(
                "A9",
                element.place,
                f"is wider than {NARROWEST_SCREEN} px",
                'Say width="100%" and limit it by max-width',
            )
        limit = pixels(declared.get("max-width", ""))
        if limit and f'width="{limit:g}"' not in outlook_tables:
            yield Finding(
                "A9",
                element.place,
                "Outlook ignores max-width here",
                f'Put a table width="{limit:g}" around it, within <!--[if mso]>',
            )


def long_words(email: ParsedEmail) -> Iterator[Finding]:
    """A word that is longer than a line may be broken anywhere."""
    for element in email.document.visible:
        if _LONG_WORD.search(element.own_text):
            can_break = (
                email.cascade.value(element, "overflow-wrap") in ("anywhere", "break-word"),
                email.cascade.value(element, "word-break") in ("break-word", "break-all"),
            )
            if not all(can_break):
                yield Finding(
                    "A9",
                    element.place,
                    "a long word pushes the email wider than the screen",
                    "Say overflow-wrap:anywhere, and word-break:break-word for Gmail and Outlook",
                )


def _unitless(value: str) -> float:
    """The pixels of an HTML attribute such as ``width="600"``; 0 for any other value."""
    return float(value) if re.fullmatch(r"\d+", value) else 0
