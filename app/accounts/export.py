"""``/account/export``: everything that the shop knows about a customer, as one JSON file
(STANDARDS B13).

Other rooms add what is theirs::

    config.add_to_export("orders", orders_for_export)
"""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy.orm import Session

from app.accounts.account_emails import emails_of
from app.accounts.events import EventKind, latest, record
from app.accounts.models import Account
from app.accounts.permissions import RECENT
from app.accounts.sessions import live_sessions
from app.mail import addresses
from app.mail.outbox.tables import SuppressedAddress

Part = Callable[[Session, Account, datetime], Any]
"""Returns a part of the export, made of what JSON knows and of times."""


@view_config(
    route_name="export",
    request_method="GET",
    permission=RECENT,
    renderer="accounts/export.jinja2",
)
def export_page(request: Request) -> Any:
    """Say what the file holds, and show the button."""
    return {}


@view_config(route_name="export", request_method="POST", permission=RECENT)
def export(request: Request) -> Response:
    """Answer with the file."""
    session, account = request.dbsession, request.account
    record(session, request, EventKind.EXPORT, account.id)
    parts: dict[str, Part] = request.registry.account_export
    content = {name: part(session, account, request.now) for name, part in parts.items()}
    return Response(
        json.dumps(content, default=_as_json, ensure_ascii=False, indent=2) + "\n",
        content_type="application/json",
        charset="utf-8",
        content_disposition='attachment; filename="account.json"',
    )


def _as_json(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value)} cannot stand in the export")


def _account(session: Session, account: Account, now: datetime) -> Any:
    return {
        "address": account.address,
        "created_at": account.created_at,
        "language": account.locale,
        "email_format": account.body_format,
        "is_staff": account.is_staff,
    }


def _sessions(session: Session, account: Account, now: datetime) -> Any:
    return [
        {
            "browser": each.browser,
            "system": each.system,
            "created_at": each.created_at,
            "last_used_at": each.last_used_at,
        }
        for each in live_sessions(session, account.id, now)
    ]


def _events(session: Session, account: Account, now: datetime) -> Any:
    return [
        {"kind": each.kind, "outcome": each.outcome, "at": each.at, "by_staff": bool(each.staff_id)}
        for each in latest(session, account.id, now)
    ]


def _emails(session: Session, account: Account, now: datetime) -> Any:
    """Without bodies, because a body may hold a link that opens the account."""
    return [
        {
            "kind": each.kind,
            "subject": each.subject,
            "state": each.state,
            "created_at": each.created_at,
            "sent_at": each.sent_at,
        }
        for each in emails_of(session, account, limit=None)
    ]


def _suppression(session: Session, account: Account, now: datetime) -> Any:
    """Also one that has ended, because the next bounce suppresses for longer."""
    found = session.get(SuppressedAddress, addresses.key_of(account.address))
    if found is None:
        return None
    return {
        "reason": found.reason,
        "since": found.created_at,
        "until": found.until,
        "bounces": found.bounces,
        "tried_again_at": found.tried_again_at,
    }


def includeme(config: Configurator) -> None:
    """Add the directive ``config.add_to_export(name, part)``."""
    parts: dict[str, Part] = {}
    config.registry.account_export = parts
    config.add_directive("add_to_export", lambda config, name, part: parts.__setitem__(name, part))
    config.add_to_export("account", _account)
    config.add_to_export("sessions", _sessions)
    config.add_to_export("events", _events)
    config.add_to_export("emails", _emails)
    config.add_to_export("suppression", _suppression)
