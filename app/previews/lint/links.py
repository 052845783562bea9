"""A10 and A11: where links lead, why the reader got the email, and who answers questions."""

import re
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from app.i18n import formats
from app.previews.lint.parsed_email import Finding, ParsedEmail

_EMPTY_LABEL = re.compile(
    "(click )?(here|this)|(this )?link|((read|learn) )?more|continue|go|open"
    "|(klicken sie )?hier( klicken)?|(dieser )?link|mehr|weiter|öffnen",
    re.IGNORECASE,
)
_URL = re.compile(r"(?:https?://|www\.)[^\s<>]+")


def links(email: ParsedEmail) -> Iterator[Finding]:
    """Links lead to the site, say where they lead, and name no person."""
    for link in email.document.all("a"):
        href, label = link.get("href"), " ".join(link.text_content().split())
        problem = _wrong_destination(email, href)
        if problem:
            yield Finding("A10", link.place, *problem)
        if not label or _EMPTY_LABEL.fullmatch(label.rstrip(".!")):
            yield Finding(
                "A10", link.place, f"{label!r} does not say where it leads", "Name what it opens"
            )
        shown = _URL.match(label)
        if shown and shown[0].rstrip("/") not in (href.rstrip("/"), urlsplit(href).netloc):
            yield Finding(
                "A10", link.place, "shows one address and leads to another", "Show where it leads"
            )
    for element in email.document.all():
        source = element.get("src")
        if source and not source.startswith(("cid:", email.expected.site.base_url + "/")):
            yield Finding("A10", element.place, "loads from elsewhere", "Serve it from the site")
    if email.html is None:
        for url in _URL.findall(email.text or ""):
            problem = _wrong_destination(email, url.rstrip(".,;:!?)"))
            if problem and url not in email.expected.given_text:
                yield Finding("A10", "text", *problem)


def support(email: ParsedEmail) -> Iterator[Finding]:
    """Both bodies name the address where a person answers."""
    address = email.expected.site.support_email
    mailto = [link for link in email.document.all("a") if link.get("href") == f"mailto:{address}"]
    if email.html is not None and not mailto:
        yield Finding(
            "A11", "HTML", "does not link to site.support_email", "Say who answers questions"
        )
    if email.text is not None and address not in email.text:
        yield Finding(
            "A11", "text", "does not name site.support_email", "Say who answers questions"
        )


def reason(email: ParsedEmail) -> Iterator[Finding]:
    """The email says why the reader gets it. In the layout, the first element of the class
    ``reason`` holds that sentence; the second says who answers.
    """
    reasons = [element for element in email.document.visible if "reason" in element.classes]
    why = reasons[0].text_content() if reasons else ""
    is_said = len(why.split()) > 3 and email.expected.site.support_email not in why
    if email.html is not None and not is_said:
        yield Finding(
            "A11", "HTML", "does not say why it came", "Fill the template's block named reason"
        )


def lifetime(email: ParsedEmail) -> Iterator[Finding]:
    """Both bodies say how long the email's links can be used."""
    kind, lifetimes = email.expected.kind, email.expected.lifetimes
    if kind.carries_secret and not lifetimes:
        yield Finding(
            "A11",
            f"the context of {kind.name}",
            "does not say how long the link lives",
            "Add a timedelta to it, and show it",
        )
    bodies = {
        "HTML": None if email.html is None else " ".join(email.content.root.text_content().split()),
        "text": None if email.text is None else " ".join(email.text.split()),
    }
    for life in lifetimes:
        duration = " ".join(formats.duration(life, email.expected.to.locale).split())
        for place, body in bodies.items():
            if body is not None and duration not in body:
                yield Finding(
                    "A11", place, f"does not say {duration!r}", "Show it with the filter duration"
                )


def _wrong_destination(email: ParsedEmail, href: str) -> tuple[str, str] | None:
    """The problem with a link's destination, and its cure; None when there is none."""
    expected = email.expected
    if href == f"mailto:{expected.site.support_email}":
        return None
    base = expected.site.base_url
    # base_url may be plain http: a development site has no certificate.
    if urlsplit(href).scheme != "https" and not (href + "/").startswith(base + "/"):
        return f"{href!r} is no absolute https address", "Make it with request.link"
    if not (href + "/").startswith(base + "/") and href not in expected.links:
        return f"leads to {urlsplit(href).netloc}, not to {base}", "Make it with request.link"
    decoded = unquote(href).casefold()
    people = [expected.to.address, *(name for name in expected.to.name.split() if len(name) > 3)]
    if "@" in decoded or any(name.casefold() in decoded for name in people):
        return "names a person in its address", "Name the account or order by its number"
    return None
