"""Tells signed-in customers that our emails do not reach them, and why. They can change the address
or have it tried again.

Nobody but the signed-in owner of the account learns this.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config

from app.accounts import rate_limits
from app.accounts.events import EventKind, record
from app.accounts.limited import require
from app.accounts.models import Account
from app.accounts.permissions import SIGNED_IN
from app.database import short_transaction
from app.mail import addresses
from app.mail.events import reach, suppression
from app.mail.events.reach import Unreachable
from app.mail.outbox.event_tables import Event
from app.mail.outbox.worth_sending import Sent, send_all
from app.web.translation import _, tell

_COMPLAINT = _(
    "We could not reach you at ${address}, because an email of ours was reported as spam."
)
_BOUNCE = _("We could not reach you at ${address}, because an email to it came back.")
_NO_MAILBOX = _("We could not reach you at ${address}, because this mailbox does not exist.")
_NO_EMAIL = _("We could not reach you at ${address}, because its domain takes no emails.")
_NO_ANSWER = _("We could not reach you at ${address}, because its email server did not answer.")
_SENTENCES = {
    "1.1": _NO_MAILBOX,
    "1.2": _("We could not reach you at ${address}, because its domain does not exist."),
    "1.3": _("We could not reach you at ${address}, because this is no usable email address."),
    "1.6": _("We could not reach you at ${address}, because this mailbox has moved."),
    "1.10": _NO_EMAIL,
    "2.1": _("We could not reach you at ${address}, because this mailbox is switched off."),
    "2.2": _("We could not reach you at ${address}, because this mailbox is full."),
    "2.3": _("We could not reach you at ${address}, because the email was too large for it."),
    "4.1": _NO_ANSWER,
    "4.4": _NO_EMAIL,
    "4.7": _NO_ANSWER,
}
"""By subject and detail of an enhanced status code (RFC 3463)."""
_REFUSED = _("We could not reach you at ${address}, because your email provider refused our email.")


@dataclass(frozen=True, slots=True)
class Notice:
    """What a customer is told about the address. ``sentence`` is in the customer's language."""

    sentence: str
    until: datetime | None
    """Until then nothing is sent to the address. None when the next email goes out."""
    try_again_from: datetime | None
    """When the customer may have it tried again. None when that is now."""


def sentence_of(unreachable: Unreachable) -> str:
    """Why emails do not reach ``${address}``, as a translation string."""
    if unreachable.event == Event.COMPLAINED:
        return _COMPLAINT
    _class, _dot, detail = (unreachable.code or "").partition(".")
    if detail.startswith("7."):
        return _REFUSED
    return _SENTENCES.get(detail, _BOUNCE)


def _notice(request: Request) -> Notice | None:
    """The notice for the page's head. None for strangers, on error pages, and when emails reach the
    customer.
    """
    account: Account | None = request.account if request.exception is None else None
    if account is None:
        return None
    # The page of a refused form must not take the writer's turn on SQLite for this look-up.
    with short_transaction(request.registry, write=False) as session:
        found = reach.unreachable(session, addresses.key_of(account.address), request.now)
    if found is None:
        return None
    sentence = request.localizer.translate(sentence_of(found), mapping={"address": account.address})
    try_again_from = None
    if found.tried_again_at is not None:
        try_again_from = found.tried_again_at + rate_limits.TRY_AGAIN.period
        if try_again_from <= request.now:
            try_again_from = None
    return Notice(sentence, found.until, try_again_from)


@view_config(route_name="try_address_again", request_method="POST", permission=SIGNED_IN)
def try_again(request: Request) -> Any:
    """Let emails go to the customer's address until the next bounce, and send again what did not
    reach it.
    """
    account, now = request.account, request.now
    require(
        request,
        EventKind.ADDRESS_RETRY,
        (rate_limits.TRY_AGAIN, str(account.id)),
        account_id=account.id,
    )
    session, registry = request.dbsession, request.registry
    key = addresses.key_of(account.address)
    suppression.try_again(session, key, now)
    sent = send_all(session, key, registry.email_kinds, now, registry.email_composer, request.id)
    registry.email_wakeup.after_commit(session)
    record(session, request, EventKind.ADDRESS_RETRY, account.id)
    tell(request, _told(sent), address=account.address)
    return HTTPSeeOther(request.route_path("account_emails"))


def _told(sent: Sent) -> str:
    if sent.ids:
        return _("We are trying ${address} again, and send what has not reached you.")
    return _("We are trying ${address} again with the next email to you.")


def includeme(config: Configurator) -> None:
    """Give requests ``request.unreachable``: the ``Notice`` for the layout, or None."""
    config.add_request_method(_notice, "unreachable", reify=True)
