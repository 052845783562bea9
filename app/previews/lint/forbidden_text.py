"""A12 and A15: text that must not be in an email: leftovers of templates, and unconfirmed text."""

import re
from collections.abc import Iterator

from app.previews.lint.parsed_email import Finding, ParsedEmail

_LEFTOVERS = {
    r"\{\{|\}\}|\{%|%\}": "is a tag of a template",
    r"%\(\w+\)[sd]": "is a placeholder without its value",
    r"\bNone\b(?! of)": "is a missing value",
    r"\b(Decimal|datetime|timedelta)\b[.(]| object at 0x": "is how Python shows a value",
    r"&(?:amp|lt|gt|quot|nbsp|#\d+|#x[0-9a-f]+);": "was escaped twice",
}
_TEXT_LEFTOVERS = {
    r"\*\*|__": "is Markdown for bold",
    r"\]\(": "is a link of Markdown",
    r"\\[.\-+*_#()!`>\[\]]": "is escaped for Markdown",
    r"(?m)^#{1,6} ": "is a heading of Markdown",
    r"\|": "is a border of a table",
    r"</?[a-z][a-z0-9]*(?: [^<>]*)?>": "is a tag of HTML",
    "[\ue000-\uf8ff]": "is a character of the private use area",
}
_NUMBER = re.compile("[0-9A-Z]{4}(-[0-9A-Z]{4}){2}")
"""An order number in its standard form."""


def leftovers(email: ParsedEmail) -> Iterator[Finding]:
    """No template tag, Markdown or Python value is left over, unless the context holds it."""
    given = " ".join(email.expected.given_text.split())
    shown = "\n".join(element.own_text for element in email.document.visible)
    subject = str(email.message.get("Subject", ""))
    for place, text, patterns in (
        ("header Subject", subject, _LEFTOVERS),
        ("HTML", shown, _LEFTOVERS),
        ("text", email.text or "", _LEFTOVERS | _TEXT_LEFTOVERS),
    ):
        for pattern, meaning in patterns.items():
            for match in re.finditer(pattern, text, re.IGNORECASE if "&" in pattern else 0):
                if " ".join(match[0].split()) not in given:
                    yield Finding(
                        "A12", place, f"{match[0]!r} {meaning}", "See what the template writes here"
                    )


def unconfirmed_text(email: ParsedEmail) -> Iterator[Finding]:
    """An email to an unconfirmed address shows nothing that a person typed, because that person may
    not own the address. A number has no room for words.
    """
    expected = email.expected
    if not expected.kind.is_unconfirmed(expected.context):
        return
    written = set(expected.given_text.splitlines()) - {*expected.links, expected.site.name, ""}
    written = {words for words in written if not _NUMBER.fullmatch(words)}
    header = email.message.get("To")
    names = {address.display_name for address in header.addresses} if header is not None else set()
    for words in sorted(written | names - {""}):
        yield Finding(
            "A15",
            f"{expected.kind.name}",
            f"{words[:40]!r} may be a stranger's words",
            "Say nothing but the link before the address is confirmed",
        )
