"""The development mailbox: every email of the outbox as its recipient, a developer and a test would
want to see it.
"""

import re
from email import message_from_bytes
from email.policy import default as modern_policy
from html import unescape
from typing import Any

from pyramid.httpexceptions import HTTPGone, HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import select

from app.mail.mime import message_bytes
from app.mail.outbox import OutboxEmail
from app.web.headers import CONTENT_SECURITY_POLICY

SHOWN = 200
"""How many emails the list shows, the newest first."""

FRAMED_EMAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'self'; "
    "sandbox allow-popups allow-popups-to-escape-sandbox"
)
"""An email may style itself and open its links, and do nothing else."""

_HREF = re.compile(r'<a\b[^>]*\bhref="(https?://[^"]+)"', re.IGNORECASE)
_URL = re.compile(r"https?://[^\s<>]+")


@view_config(route_name="mailbox", renderer="development/mailbox.jinja2", request_method="GET")
def mailbox(request: Request) -> dict[str, Any]:
    """The list."""
    return {"emails": _newest(request)}


@view_config(route_name="mailbox_json", renderer="json", request_method="GET")
def mailbox_json(request: Request) -> list[dict[str, Any]]:
    """The list for programs, newest first."""
    return [_as_json(email) for email in _newest(request)]


@view_config(route_name="mailbox_email", renderer="development/email.jinja2", request_method="GET")
def mailbox_email(request: Request) -> dict[str, Any]:
    """One email: HTML in a frame, text, links and source."""
    email = _email(request)
    # The page frames the email's HTML, which other pages may not.
    request.response.headers["Content-Security-Policy"] = (
        CONTENT_SECURITY_POLICY + "; frame-src 'self'"
    )
    source = message_bytes(email).decode("utf-8", "replace") if email.has_body else None
    return {"email": email, "links": links(email), "source": source}


@view_config(route_name="mailbox_html", request_method="GET")
def mailbox_html(request: Request) -> Response:
    """The HTML body, for the frame. Its links open a new page."""
    html = _email(request).html_body
    if html is None:
        raise HTTPGone("This email has no HTML, or it was erased.")
    response = Response(html.replace("<head>", '<head><base target="_blank">', 1))
    response.headers["Content-Security-Policy"] = FRAMED_EMAIL_POLICY
    return response


@view_config(route_name="mailbox_source", request_method="GET")
def mailbox_source(request: Request) -> Response:
    """The message byte for byte, as the relay gets it."""
    email = _email(request)
    if not email.has_body:
        raise HTTPGone("The bodies of this email were erased.")
    response = Response(message_bytes(email), content_type="message/rfc822", charset=None)
    response.content_disposition = f'attachment; filename="{email.kind}-{email.id}.eml"'
    return response


def links(email: OutboxEmail) -> list[str]:
    """The web addresses that an email links to, each once, in their order."""
    if email.html_body is not None:
        found = [unescape(href) for href in _HREF.findall(email.html_body)]
    else:
        found = _URL.findall(email.text_body or "")
    return list(dict.fromkeys(found))


def _newest(request: Request) -> list[OutboxEmail]:
    newest = select(OutboxEmail).order_by(OutboxEmail.id.desc()).limit(SHOWN)
    return list(request.dbsession.scalars(newest))


def _email(request: Request) -> OutboxEmail:
    number = int(request.matchdict["id"])
    email = request.dbsession.get(OutboxEmail, number) if number < 2**31 else None
    if email is None:
        raise HTTPNotFound("There is no such email.")
    return email


def _as_json(email: OutboxEmail) -> dict[str, Any]:
    headers: dict[str, str] = {}
    if email.has_body:
        message = message_from_bytes(message_bytes(email), policy=modern_policy)
        headers = {name: str(value) for name, value in message.items()}
    return {
        "id": email.id,
        "kind": email.kind,
        "from": email.sender,
        "to": email.recipient,
        "subject": email.subject,
        "state": email.state,
        "created_at": email.created_at.isoformat(),
        "text": email.text_body,
        "html": email.html_body,
        "headers": headers,
        "links": links(email),
    }
