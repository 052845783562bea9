"""``POST /webhooks/email``: a service tells what becomes of emails. ``app.mail`` includes it where
``email.events`` names the service.

A call is made by nobody in a browser, so it has no CSRF token, and no session or cookie follows.
"""

import hmac
import logging
import re
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from pyramid.authentication import extract_http_basic_credentials
from pyramid.config import Configurator
from pyramid.httpexceptions import (
    HTTPBadRequest,
    HTTPOk,
    HTTPRequestEntityTooLarge,
    HTTPUnauthorized,
)
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response

from app.database import short_transaction
from app.mail.events.hearing import Heard, hear, note_confirmation
from app.mail.events.json_fields import BadBody, json_of, text, time
from app.mail.events.services import confirmation_link, events_of

log = logging.getLogger(__name__)

LARGEST_BODY = 1024 * 1024
"""Octets."""
BATCH = 100
"""Events in one transaction. Other writers wait for it, so a long list has several."""
SIGNED_WITHIN = timedelta(days=1)
"""How old a signature of Mailgun may be. Mailgun repeats a failed call for eight hours. A call that
somebody repeats changes nothing.
"""


def email_events(request: Request) -> Response:
    """Hear what the service tells. 401 for a wrong password or signature, 400 for what is no event
    of the service. The service repeats a call that we could not take, because it gets an error.
    """
    registry = request.registry
    settings = registry.pillarbox.email
    if (request.content_length or 0) > LARGEST_BODY:
        return HTTPRequestEntityTooLarge()
    if not _has_password(request, settings.events_secret):
        return _unauthorized()
    try:
        body = json_of(_decoded(request.body))
        if settings.events_key and not _is_signed(body, settings.events_key, request.now):
            log.warning("webhook refused: problem=the signature does not fit or is too old")
            return _unauthorized()
        link = confirmation_link(body) if settings.events == "ses" else None
        told = events_of(settings.events, body) if link is None else []
    except BadBody as problem:
        log.warning("webhook refused: service=%s problem=%s", settings.events, problem)
        return HTTPBadRequest()
    if link is None:
        _hear(registry, settings.events, told, request.now)
    else:
        _note_confirmation(registry, settings.events, link, request.now)
    return HTTPOk()


def _decoded(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise BadBody("it is not UTF-8") from None


def _has_password(request: Request, password: str) -> bool:
    """Whether the call carries the password (HTTP Basic, RFC 7617). Any user name will do."""
    credentials = extract_http_basic_credentials(request)
    if credentials is None:
        # Amazon SNS calls without the password first, each time.
        log.info("webhook refused: problem=there is no password")
        return False
    is_right = hmac.compare_digest(credentials.password.encode(), password.encode())
    if not is_right:
        log.warning("webhook refused: problem=the password is wrong")
    return is_right


def _unauthorized() -> Response:
    challenge = 'Basic realm="email events", charset="UTF-8"'
    return HTTPUnauthorized(headers={"WWW-Authenticate": challenge})


def _is_signed(body: Any, key: str, now: datetime) -> bool:
    """Whether Mailgun has signed the call: HMAC-SHA256 of its time and token."""
    told, token = text(body, "signature", "timestamp"), text(body, "signature", "token")
    signature = hmac.digest(key.encode(), (told + token).encode("utf-8", "replace"), sha256).hex()
    given = text(body, "signature", "signature").encode("utf-8", "replace")
    at = time(int(told)) if re.fullmatch("[0-9]{1,12}", told) else None
    is_recent = at is not None and abs(now - at) <= SIGNED_WITHIN
    return hmac.compare_digest(signature.encode(), given) and is_recent


def _hear(registry: Registry, service: str, told: list[Heard | None], now: datetime) -> None:
    heard = [event for event in told if event is not None]
    unused = len(told) - len(heard)
    counts = []
    for start in range(0, max(len(heard), 1), BATCH):
        with short_transaction(registry, write=True) as session:
            counts.append(
                hear(
                    session,
                    service,
                    heard[start : start + BATCH],
                    tags=registry.email_tags,
                    kinds=registry.email_kinds,
                    now=now,
                    unused=unused if start == 0 else 0,
                )
            )
    log.info(
        "events told: service=%s new=%d again=%d unmatched=%d unused=%d",
        service,
        sum(count.new for count in counts),
        sum(count.again for count in counts),
        sum(count.unmatched for count in counts),
        unused,
    )


def _note_confirmation(registry: Registry, service: str, link: str, now: datetime) -> None:
    with short_transaction(registry, write=True) as session:
        note_confirmation(session, service, link, now)
    # Whoever reads the log could confirm a subscription with the link, so it stays out of it.
    log.warning(
        "Amazon SNS asks to confirm its subscription:"
        " open the link that `pillarbox doctor` shows, and no event comes before"
    )


def includeme(config: Configurator) -> None:
    """Add the route and its view."""
    config.add_route("email_events", "/webhooks/email")
    config.add_view(
        email_events, route_name="email_events", request_method="POST", require_csrf=False
    )
