"""A6: what an inbox shows of an unopened email, subject and preheader. The message outweighs its
fine print.
"""

from collections.abc import Iterator
from urllib.parse import urlsplit

from app.previews.lint.cascade import pixels
from app.previews.lint.document import Element
from app.previews.lint.parsed_email import Finding, ParsedEmail

SUBJECT_LENGTHS = range(8, 61)
PREHEADER_LENGTHS = range(30, 141)
"""Characters."""
HIDING_STYLE = {
    "display": "none",
    "max-height": "0",
    "max-width": "0",
    "overflow": "hidden",
    "mso-hide": "all",
}
"""The style that hides a preheader. Spam filters count a tiny font or the page's colour."""
BODY_SIZE = 16
"""CSS pixels. Smaller text is fine print."""
_SHORTEST_SECRET = 12


def subject(email: ParsedEmail) -> Iterator[Finding]:
    """Short enough for an inbox, the fact first, and without the secret of a link."""
    text = str(email.message.get("Subject", ""))
    if len(text) not in SUBJECT_LENGTHS:
        yield Finding(
            "A6",
            "header Subject",
            f"has {len(text)} characters",
            f"Write {SUBJECT_LENGTHS[0]} to {SUBJECT_LENGTHS[-1]}",
        )
    if text.startswith(("[", email.expected.site.name)):
        yield Finding(
            "A6",
            "header Subject",
            "begins with the sender, whom the list names already",
            "Begin with the fact",
        )
    yield from _no_secret(email, "header Subject", text)


def preheader(email: ParsedEmail) -> Iterator[Finding]:
    """The line that an inbox shows beside the subject: hidden in the email, and no repetition."""
    if email.html is None:
        return
    element = _preheader(email)
    if element is None:
        yield Finding("A6", "HTML", "has no preheader", "Begin the body with a hidden one")
        return
    text = " ".join(element.text_content().split())
    if len(text) not in PREHEADER_LENGTHS:
        yield Finding(
            "A6",
            element.place,
            f"the preheader has {len(text)} characters",
            f"Write {PREHEADER_LENGTHS[0]} to {PREHEADER_LENGTHS[-1]}",
        )
    headings = [" ".join(heading.text_content().split()) for heading in email.document.all("h1")]
    for shown in (str(email.message.get("Subject", "")), *headings):
        if shown and shown.casefold() in text.casefold():
            yield Finding(
                "A6", element.place, f"the preheader repeats {shown!r}", "Say what comes next"
            )
    style = email.cascade.declared(element)
    for name, value in HIDING_STYLE.items():
        if style.get(name, "").removesuffix("px") != value:
            yield Finding(
                "A6", element.place, f"lacks {name}:{value}", "Hide the preheader in all five ways"
            )
    yield from _no_secret(email, element.place, text)


def tiny_text(email: ParsedEmail) -> Iterator[Finding]:
    """No text is too small to read; SpamAssassin takes tiny text for hidden text."""
    for element in email.document.visible:
        size = pixels(email.cascade.value(element, "font-size"))
        if element.own_text.strip() and size is not None and size < 12:
            yield Finding("A6", element.place, f"its text is {size:g}px high", "Write 12px or more")


def fine_print(email: ParsedEmail) -> Iterator[Finding]:
    """More letters stand in body size than below it, and a style makes text small, not ``<small>``,
    which four mail programs drop.
    """
    message = fine = 0
    for element in email.document.visible:
        letters = len("".join(element.own_text.split()))
        size = pixels(email.cascade.value(element, "font-size"))
        if size is not None and size < BODY_SIZE:
            fine += letters
        else:
            message += letters
        if element.tag == "small":
            yield Finding("A6", element.place, "programs drop it", "Use a <span> with a font-size")
    if fine >= message > 0:
        yield Finding(
            "A6",
            "HTML",
            f"{fine} letters are smaller than {BODY_SIZE}px, and {message} are not",
            "Shorten the fine print, or say more in the message",
        )


def _preheader(email: ParsedEmail) -> Element | None:
    """The first element of the body that holds text, provided it is hidden."""
    texts = (element for element in email.document.all() if element.own_text.strip())
    first = next((element for element in texts if element.closest("body") is not None), None)
    return first if first is not None and first.is_hidden else None


def _no_secret(email: ParsedEmail, place: str, text: str) -> Iterator[Finding]:
    if email.expected.kind.carries_secret:
        secrets = (urlsplit(link).path.rpartition("/")[2] for link in email.expected.links)
        if any(len(secret) >= _SHORTEST_SECRET and secret in text for secret in secrets):
            yield Finding("A6", place, "shows the secret of a link", "Leave it to the link")
