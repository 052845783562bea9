"""A7: HTML that every mail program and screen reader understands, without scripts or tracking."""

import re
from collections.abc import Iterator

from app.i18n.languages import direction
from app.previews.lint.document import Element
from app.previews.lint.parsed_email import Finding, ParsedEmail

_FORBIDDEN = re.compile(
    "form|input|select|textarea|button|iframe|frame|frameset|object|embed|applet|audio|video|canvas"
    "|svg|link|base|marquee"
)
GENERIC_FONTS = frozenset({"serif", "sans-serif", "monospace", "system-ui"})
_METAS = {
    "viewport": "width=device-width, initial-scale=1",
    "color-scheme": "light dark",
    "supported-color-schemes": "light dark",
}


def head(email: ParsedEmail) -> Iterator[Finding]:
    """Doctype, language, direction, character set, metas and title."""
    if email.html is None:
        return
    document = email.document
    if document.doctype != "doctype html":
        yield Finding("A7", "HTML, line 1", "has no doctype", "Begin with <!doctype html>")
    language = email.expected.to.locale.replace("_", "-")
    if not any(element.get("lang") == language for element in document.all("html")):
        yield Finding("A7", "<html>", f"its lang is not {language}", "Take the recipient's locale")
    writing_direction = direction(email.expected.to.locale)
    if not any(element.get("dir") == writing_direction for element in document.all("html")):
        yield Finding(
            "A16", "<html>", f"its dir is not {writing_direction}", f'Say dir="{writing_direction}"'
        )
    # HTML 4.2.5.4: a browser looks for the character set in the first 1024 octets only.
    if not re.search(rb'<meta charset="?utf-8', email.html.encode()[:1024], re.IGNORECASE):
        yield Finding(
            "A7",
            "<head>",
            "its first 1024 octets do not name the character set",
            'Begin the head with <meta charset="utf-8">',
        )
    metas = {element.get("name"): element.get("content") for element in document.all("meta")}
    for name, content in _METAS.items():
        if metas.get(name) != content:
            yield Finding(
                "A7", f"<meta> {name}", "is missing or says something else", f"Say {content!r}"
            )
    titles = [" ".join(title.text_content().split()) for title in document.all("title")]
    if titles != [email.message.get("Subject", "")]:
        yield Finding("A7", "<title>", "is not the subject", "Make it the subject")


def tables(email: ParsedEmail) -> Iterator[Finding]:
    """A data table has headers for screen readers; a layout table has the role presentation."""
    for table in email.document.all("table"):
        cells = (cell for cell in table.iterdescendants("*") if cell.closest("table") is table)
        headers = [cell for cell in cells if cell.tag == "th"]
        is_layout = table.get("role") == "presentation"
        if headers and table.get("role"):
            yield Finding(
                "A7", table.place, "holds data and has a role", "Leave the role of data tables out"
            )
        elif not headers and not is_layout:
            yield Finding(
                "A7",
                table.place,
                "has neither headers nor the role presentation",
                'Say role="presentation", or give its rows or columns <th scope>',
            )
        for header in headers:
            if header.get("scope") not in ("row", "col", "rowgroup", "colgroup"):
                yield Finding("A7", header.place, "has no scope", 'Say scope="row" or scope="col"')


def content(email: ParsedEmail) -> Iterator[Finding]:
    """One ``<h1>``, and nothing that runs, loads other content or tracks the reader."""
    if email.html is None:
        return
    headings = len(email.document.all("h1"))
    if headings != 1:
        yield Finding("A7", "HTML", f"has {headings} <h1>", "Give every email one heading")
    for element in email.document.all():
        if _FORBIDDEN.fullmatch(element.tag):
            yield Finding("A7", element.place, "programs remove it or warn of it", "Do without it")
        if element.tag == "script" and element.get("type") != "application/ld+json":
            yield Finding("A7", element.place, "runs in no mail program", "Do without scripts")
        for name in element.attrib:
            if name.startswith("on"):
                yield Finding("A7", element.place, f"{name} runs nowhere", "Do without scripts")
        if element.tag == "img":
            yield from _image(element)
        family = email.cascade.declared(element).get("font-family", "")
        if family and family.split(",")[-1].strip() not in GENERIC_FONTS:
            yield Finding(
                "A7",
                element.place,
                f"font-family ends with {family.split(',')[-1].strip()}",
                "Name the system's fonts and end with sans-serif, serif or monospace",
            )


def _image(image: Element) -> Iterator[Finding]:
    if "alt" not in image.attrib:
        yield Finding("A7", image.place, "has no alt", 'Say what it shows, or alt=""')
    if any(re.fullmatch("[012](px)?", image.get(side)) for side in ("width", "height")):
        yield Finding("A7", image.place, "is a tracking pixel", "Leave it out")
