"""Features of HTML and CSS that an email uses and a mail program lacks.

The table condenses the tests of Can I email (https://www.caniemail.com, MIT licence, whose text is
in the table). ``scripts/client_support.py`` writes it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from app.previews.lint import css
from app.previews.lint.document import Document
from app.previews.lint.parsed_email import Finding, ParsedEmail

REVIEWED: Mapping[str, str] = {
    "html-doctype": "what is inlined does not depend on the rendering mode",
    "html-lang": "the text is the same; only a screen reader may choose the wrong voice",
    "html-dir": "a program then takes each paragraph's direction from its letters",
    "html-meta-color-scheme": "it only tells programs not to invert the colours themselves",
    "html-style": "the inlined styles are complete; the phone and dark blocks only improve them",
    "html-body": "the table around the content has the page's colour too",
    "html-role": "a screen reader then announces a layout table and reads the same text",
    "html-aria-hidden": "display:none hides the preheader from screen readers too",
    "css-max-height": "display:none and mso-hide:all hide the preheader in classic Outlook",
    "css-overflow": "display:none and mso-hide:all hide the preheader in classic Outlook",
    "css-border-radius": "the corners are then square",
    "css-sytem-ui": "Segoe UI comes first, and classic Outlook uses it",
    "css-overflow-wrap": "word-break does the same where this is lacking",
    "css-word-break": "a word of more than 30 letters then makes the email wider, and it scrolls",
    "css-white-space": "amounts hold no-break spaces",
    "css-text-decoration": "the label of a button is then underlined",
}
"""Features that our emails use although a program lacks them, and why that does no harm."""

_GROUPS = {
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "html-h1-h6"),
    **dict.fromkeys(("ul", "ol", "dl"), "html-lists"),
    **dict.fromkeys(
        ("article", "aside", "footer", "header", "main", "nav", "section"), "html-semantics"
    ),
}
_FUNCTIONS = {
    "calc": "css-unit-calc",
    "min": "css-function-min",
    "max": "css-function-max",
    "clamp": "css-function-clamp",
    "light-dark": "css-function-light-dark",
    "var": "css-variables",
}


@cache
def table() -> Mapping[str, Any]:
    """Maps a feature to its title, the date of its last test and the programs that lack it."""
    features: Mapping[str, Any] = json.loads(
        Path(__file__).with_name("client_support.json").read_text("utf-8")
    )["features"]
    return features


def support(email: ParsedEmail) -> Iterator[Finding]:
    """One finding for each feature that a program lacks, at its first use, unless ``REVIEWED``
    names it.
    """
    first_uses: dict[str, str] = {}
    for feature, place in features(email.document):
        first_uses.setdefault(feature, place)
    for feature, place in first_uses.items():
        if feature in table() and feature not in REVIEWED:
            entry = table()[feature]
            yield Finding(
                "clients",
                place,
                f"{entry['title']} is lacking in {', '.join(entry['lacking'])} "
                f"(tested {entry['tested']})",
                "Do without it, or say in clients.REVIEWED why that does no harm",
            )


def features(document: Document) -> Iterator[tuple[str, str]]:
    """The features that the document uses, by Can I email's names, and the place of each use.

    The content of ``<style>`` is not looked at: where a program lacks something in it, the inlined
    styles apply.
    """
    if document.doctype:
        yield "html-doctype", "HTML, line 1"
    for _, line in document.comments:
        yield "html-comments", f"HTML, line {line}"
    for element in document.all():
        yield _GROUPS.get(element.tag, f"html-{element.tag}"), element.place
        for name in element.attrib:
            yield f"html-{name}", element.place
        if element.get("name") == "color-scheme":
            yield "html-meta-color-scheme", element.place
        if element.get("href").startswith("mailto:"):
            yield "html-mailto-links", element.place
        for declaration in css.inline(element.get("style")):
            for feature in _features_of_declaration(declaration):
                yield feature, element.place


def _features_of_declaration(declaration: css.Declaration) -> Iterator[str]:
    name, value = declaration.name, declaration.value
    side = re.fullmatch(r"(margin|padding|border)-(top|right|bottom|left)", name)
    yield f"css-{side[1] if side else name}"
    if name == "display":
        yield f"css-display-{value.removeprefix('inline-')}"
    if re.search(r"\b(system-ui|ui-[a-z-]+)\b", value):
        # Can I email spells it so.
        yield "css-sytem-ui"
    for function in re.findall(r"([a-z-]+)\(", value):
        yield _FUNCTIONS.get(function, f"css-{function}")
    for unit in re.findall(r"(?<![\w#])[\d.]+([a-z]+|%)", value):
        yield "css-unit-percent" if unit == "%" else f"css-unit-{unit}"
    if declaration.important:
        yield "css-important"
