"""How a developer reads an email, one of the mailbox and a preview alike: its HTML in frames of
several widths, its text, links, attachments, headers, size and source.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default as modern_policy
from html import unescape
from typing import Any
from urllib.parse import quote, urlencode

from pyramid.httpexceptions import HTTPGone, HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response

from app.development import frames as framing
from app.mail.addresses import BadAddress
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.web.translation import _

GMAIL_CLIPS_AT = 102 * 1024
"""Octets of HTML; Gmail hides what comes after them."""

_HREF = re.compile(r'<a\b[^>]*\bhref="(https?://[^"]+)"', re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>]+")
_PREHEADER = re.compile(r'<div class="preheader"[^>]*>(.*?)</div>', re.DOTALL)

Address = Callable[..., str]
"""Gives the path of a part of an email: ``address("html", scheme="dark")``."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several things to choose from, as a link."""

    words: str
    href: str
    is_current: bool


def reading(request: Request, email: OutboxEmail, address: Address) -> dict[str, Any]:
    """What ``development/email.jinja2`` shows of an email, in the way that the query asks for."""
    framing.allow_frames(request)
    source = source_of(email)
    look = framing.Look.of_query(request.GET)
    return {
        "email": email,
        "frames": look.frames(address) if email.html_body is not None else [],
        "choices": [
            (_("Width"), choices(request, "width", framing.WIDTHS, look.width)),
            (_("Colours"), choices(request, "scheme", framing.SCHEMES, look.scheme)),
            (_("Style"), choices(request, "style", framing.STYLES, look.style)),
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
        "address": address,
    }


def choices(request: Request, name: str, words: Mapping[str, str], current: str) -> list[Choice]:
    """A link for each value of a field of the query, which keeps the others as they are."""
    return [
        Choice(
            text,
            f"{request.path}?{urlencode(dict(request.GET) | {name: value})}",
            value == current,
        )
        for value, text in words.items()
    ]


def framed(request: Request, email: OutboxEmail) -> Response:
    """The HTML body, for a frame. Its links open a new page."""
    if email.html_body is None:
        raise HTTPGone("This email has no HTML, or it was erased.")
    response = Response(framing.Look.of_query(request.GET).applied_to(email.html_body))
    response.headers["Content-Security-Policy"] = framing.POLICY
    return response


def download(email: OutboxEmail, name: str) -> Response:
    """The message byte for byte, as the relay gets it, as a file ``<name>.eml``."""
    source = source_of(email)
    if source is None:
        raise HTTPGone("This email has no bodies, or they were erased.")
    response = Response(source, content_type="message/rfc822", charset=None)
    response.content_disposition = f'attachment; filename="{name}.eml"'
    return response


def attachment(request: Request, email: OutboxEmail) -> Response:
    """The attachment at the position that the query names."""
    for found in email.attachments:
        if str(found.position) == request.GET.get("position"):
            # Whatever it claims to be, no browser is to open it in the shop's name.
            response = Response(found.content, content_type="application/octet-stream")
            response.content_disposition = (
                f"attachment; filename*=utf-8''{quote(found.filename, safe='')}"
            )
            return response
    raise HTTPNotFound("The email has no such attachment.")


def source_of(email: OutboxEmail) -> bytes | None:
    """The message, or None when it has no bodies, or can stand in no message."""
    try:
        return message_bytes(email) if email.has_body else None
    except BadAddress:
        return None


def headers(source: bytes | None) -> dict[str, str]:
    """The headers of a message, decoded as people read them."""
    message = message_from_bytes(source or b"", policy=modern_policy)
    return {name: str(value) for name, value in message.items()}


def links(email: OutboxEmail) -> list[str]:
    """The web addresses that an email links to, each once, in their order."""
    if email.html_body is not None:
        found = [unescape(href) for href in _HREF.findall(email.html_body)]
    else:
        found = _URL.findall(email.text_body or "")
    return list(dict.fromkeys(found))


def preheader(email: OutboxEmail) -> str:
    """What an inbox shows after the subject; empty where the email has none."""
    found = _PREHEADER.search(email.html_body or "")
    return " ".join(unescape(found[1]).split()) if found else ""


def _size(body: str | None) -> int:
    return len((body or "").encode("utf-8", "replace"))
