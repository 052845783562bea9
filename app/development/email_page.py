"""The page of one email, in the mailbox or as a preview: its HTML in frames of several widths, its
text, links, attachments, headers, sizes and source.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default as modern_policy
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

from pyramid.httpexceptions import HTTPGone, HTTPNotFound
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from app.development import frames
from app.development.copies import copy_form
from app.mail.addresses import BadAddress
from app.mail.events.tags import tag_header
from app.mail.inline_images import with_data_urls
from app.mail.kinds import Kind
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.previews import spam
from app.previews.lint import Finding
from app.web.frames import allow_frames
from app.web.translation import _

GMAIL_CLIPS_AT = 102 * 1024
"""Octets of HTML. Gmail hides the rest of a longer email."""

_HREF = re.compile(r'<a\b[^>]*\bhref="(https?://[^"]+)"', re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>]+")
_PREHEADER = re.compile(r'<div class="preheader"[^>]*>(.*?)</div>', re.DOTALL)

PartPath = Callable[..., str]
"""Returns the path of a part of the email: ``part_path("html", scheme="dark")``."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several values to choose from, as a link."""

    label: str
    href: str
    is_current: bool


def email_page(
    request: Request,
    email: OutboxEmail,
    part_path: PartPath,
    *,
    kind: Kind | None,
    findings: Sequence[Finding] | None,
) -> dict[str, Any]:
    """The values of ``development/email.jinja2``. The query says how the frames show the HTML, and
    whether SpamAssassin is asked. ``findings`` are the lint's, None when it cannot check the email.
    """
    allow_frames(request)
    source = message_source(request.registry, email)
    options = frames.FrameOptions.from_query(request.GET)
    return {
        "email": email,
        "frames": options.frames(part_path) if email.html_body is not None else [],
        "choices": [
            (_("Width"), query_choices(request, "width", frames.WIDTHS, options.width)),
            (_("Colours"), query_choices(request, "scheme", frames.SCHEMES, options.scheme)),
            (_("Style"), query_choices(request, "style", frames.STYLES, options.style)),
        ]
        if email.html_body is not None
        else [],
        "preheader": preheader(email),
        "links": links(email),
        "headers": headers(source),
        "html_size": _size(email.html_body),
        "text_size": _size(email.text_body),
        "source_size": len(source or b""),
        "html_most": GMAIL_CLIPS_AT,
        "source": source.decode("utf-8", "replace") if source is not None else None,
        "part_path": part_path,
        "findings": findings and [(finding, _html_line(finding)) for finding in findings],
        "spam": _spam(request, source),
        "copy_form": copy_form(request, kind, email),
    }


def _html_line(finding: Finding) -> str | None:
    """The number of the HTML line that a finding is about; None for any other place."""
    match = re.match(r"HTML, line ([0-9]+)", finding.place)
    return match[1] if match else None


def _spam(request: Request, source: bytes | None) -> dict[str, Any] | None:
    """What the page says about SpamAssassin; None when there is no message to ask it about."""
    if source is None:
        return None
    query = urlencode(dict(request.GET) | {"spam": "1"})
    values: dict[str, Any] = {
        "is_installed": spam.is_installed(),
        "ask": f"{request.path}?{query}#spam",
        "score": None,
        "problem": None,
    }
    if request.GET.get("spam") == "1" and values["is_installed"]:
        try:
            values["score"] = spam.spam_score(source)
        except spam.SpamAssassinFailed as error:
            values["problem"] = str(error)
    return values


def query_choices(
    request: Request, name: str, labels: Mapping[str, str], current: str
) -> list[Choice]:
    """A link for each value of one field of the query. It keeps the query's other fields."""
    return [
        Choice(
            label,
            f"{request.path}?{urlencode(dict(request.GET) | {name: value})}",
            value == current,
        )
        for value, label in labels.items()
    ]


def html_response(request: Request, email: OutboxEmail) -> Response:
    """The HTML body, for a frame. Its links open in a new page."""
    if email.html_body is None:
        raise HTTPGone("This email has no HTML, or it was erased.")
    html = with_data_urls(email.html_body, email.attachments)
    response = Response(frames.FrameOptions.from_query(request.GET).apply_to(html))
    response.headers["Content-Security-Policy"] = frames.frame_policy(request.GET)
    return response


def eml_response(request: Request, email: OutboxEmail, name: str) -> Response:
    """The bytes that the relay would get, as a file ``<name>.eml``."""
    source = message_source(request.registry, email)
    if source is None:
        raise HTTPGone("This email has no bodies, or they were erased.")
    response = Response(source, content_type="message/rfc822", charset=None)
    response.content_disposition = f'attachment; filename="{name}.eml"'
    return response


def attachment_response(request: Request, email: OutboxEmail) -> Response:
    """The attachment at the position that the query names."""
    for attachment in email.attachments:
        if str(attachment.position) == request.GET.get("position"):
            # As an octet stream no browser shows it as a page of the shop, whatever its own type.
            response = Response(attachment.content, content_type="application/octet-stream")
            response.content_disposition = (
                f"attachment; filename*=utf-8''{quote(attachment.filename, safe='')}"
            )
            return response
    raise HTTPNotFound("The email has no such attachment.")


def message_source(registry: Registry, email: OutboxEmail) -> bytes | None:
    """The bytes of the message; None when the email has no bodies, or an address that cannot be
    put into a header.
    """
    header = None
    # A preview is not stored, so it has neither an id nor a tag.
    if email.id is not None:
        header = tag_header(registry.pillarbox.email.events, registry.email_tags.of(email.id))
    try:
        return message_bytes(email, header) if email.has_body else None
    except BadAddress:
        return None


def headers(source: bytes | None) -> dict[str, str]:
    """The headers of a message, decoded."""
    message = message_from_bytes(source or b"", policy=modern_policy)
    return {name: str(value) for name, value in message.items()}


def links(email: OutboxEmail) -> list[str]:
    """The web addresses that an email links to, each once, in the order of the email."""
    if email.html_body is not None:
        found = [unescape(href) for href in _HREF.findall(email.html_body)]
    else:
        found = _URL.findall(email.text_body or "")
    return list(dict.fromkeys(found))


def preheader(email: OutboxEmail) -> str:
    """The text that an inbox shows after the subject; ``""`` when the email has none."""
    found = _PREHEADER.search(email.html_body or "")
    return " ".join(unescape(found[1]).split()) if found else ""


def _size(body: str | None) -> int:
    return len((body or "").encode("utf-8", "replace"))
