"""``/account/emails``: the emails to the account's address, and what became of each.

It shows no bodies, because a body may hold a link that opens the account, and never the relay's own
words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import collate, func, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.accounts.models import Account
from app.accounts.permissions import SIGNED_IN
from app.mail import addresses
from app.mail.events.reach import bounce_codes
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome
from app.web.translation import _

PAGE_SIZE = 50
_LARGEST_ID = 2**31 - 1
"""PostgreSQL's largest INTEGER."""

WORDS = {
    State.QUEUED: _("Waiting to be sent"),
    State.SENDING: _("Being sent now"),
    State.SENT: _("Handed to your email provider"),
    State.FAILED: _("Could not be delivered"),
    State.UNKNOWN: _("We do not know whether it arrived"),
    State.BOUNCED: _("Sent back by your email provider"),
    State.CAPTURED: _("Captured, not sent (test mode)"),
    State.SUPPRESSED: _("Not sent"),
    State.THROTTLED: _("Not sent"),
    State.EXPIRED: _("Not sent, because it could not go out in time"),
    State.SUPERSEDED: _("Replaced by a newer email"),
    State.CANCELLED: _("Cancelled"),
}
_STATE_REASONS = {
    State.SUPPRESSED: _("Earlier emails to this address came back."),
    State.THROTTLED: _("Several of these were requested. Use the link in one of those."),
}
_CODE_REASONS = {
    "1.1": _("Your mailbox does not exist."),
    "1.2": _("The domain of your address does not exist."),
    "1.10": _("Your email provider takes no emails for this address."),
    "2.1": _("Your mailbox is switched off."),
    "2.2": _("Your mailbox was full."),
    "2.3": _("The email was too large for your mailbox."),
    "7.1": _("Your email provider refused it. Ask your provider to let our emails through."),
}
"""By subject and detail of an enhanced status code (RFC 3463), where the owner can act."""


@dataclass(frozen=True, slots=True)
class SentEmail:
    """An email to the owner of an account. ``words`` says what became of it, and ``reason`` why,
    where the owner can act. Both are translation strings.
    """

    id: int
    kind: str
    subject: str
    created_at: datetime
    sent_at: datetime | None
    state: str
    words: str
    reason: str | None


def emails_of(
    session: Session, account: Account, before: int | None = None, limit: int | None = PAGE_SIZE
) -> list[SentEmail]:
    """The emails to the account's present address, the newest first: at most ``limit``, and only
    those with an id below ``before``.
    """
    emails = session.execute(
        select(
            OutboxEmail.id,
            OutboxEmail.kind,
            OutboxEmail.subject,
            OutboxEmail.created_at,
            OutboxEmail.sent_at,
            OutboxEmail.state,
        )
        .where(
            _goes_to(session, account),
            *([OutboxEmail.id < before] if before is not None else []),
        )
        .order_by(OutboxEmail.id.desc())
        .limit(limit)
    ).all()
    # The codes of an email that the relay took in the end are of no use to the owner.
    undelivered = [row.id for row in emails if row.state in (State.QUEUED, State.FAILED)]
    bounced = [row.id for row in emails if row.state == State.BOUNCED]
    codes = _attempt_codes(session, undelivered) | bounce_codes(session, bounced)
    reasons = {id: _CODE_REASONS.get((code or "").partition(".")[2]) for id, code in codes.items()}
    return [
        SentEmail(
            *row,
            words=WORDS.get(State(row.state), row.state),
            reason=reasons.get(row.id) or _STATE_REASONS.get(State(row.state)),
        )
        for row in emails
    ]


def _goes_to(session: Session, account: Account) -> ColumnElement[bool]:
    """The condition for emails to the account's address.

    The index finds them by ``recipient_key``. That key ignores the case of all letters, while only
    that of A to Z is ignored in addresses of accounts: Ä and ä may be two customers. The second
    part compares as ``Address.key`` does. SQLite's ``lower`` and that of PostgreSQL's collation "C"
    change A to Z only.
    """
    recipient: ColumnElement[str] = OutboxEmail.recipient.expression
    if session.get_bind().dialect.name == "postgresql":
        recipient = collate(recipient, "C")
    return (OutboxEmail.recipient_key == addresses.key_of(account.address)) & (
        func.lower(recipient) == account.address_key
    )


def _attempt_codes(session: Session, email_ids: Sequence[int]) -> dict[int, str | None]:
    """The enhanced status codes with which emails were last refused or deferred, by id."""
    last = select(func.max(EmailAttempt.id)).where(EmailAttempt.email_id.in_(email_ids))
    attempts = session.execute(
        select(EmailAttempt.email_id, EmailAttempt.enhanced_code).where(
            EmailAttempt.id.in_(last.group_by(EmailAttempt.email_id)),
            # What the relay has against us is not for customers.
            EmailAttempt.outcome.in_([Outcome.REFUSED, Outcome.DEFERRED]),
        )
    )
    return dict(attempts.all())


@view_config(
    route_name="account_emails",
    request_method="GET",
    permission=SIGNED_IN,
    renderer="accounts/emails.jinja2",
)
def account_emails(request: Request) -> Any:
    """Show the newest emails, or those that are older than the one with the id ``?before=``."""
    before = _id_of(request.GET["before"]) if "before" in request.GET else None
    # One more than fits on the page tells whether there are older ones.
    emails = emails_of(request.dbsession, request.account, before, PAGE_SIZE + 1)
    shown = emails[:PAGE_SIZE]
    return {
        "address": request.account.address,
        "emails": shown,
        "is_first_page": before is None,
        "older_than": shown[-1].id if len(emails) > PAGE_SIZE else None,
    }


def _id_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= _LARGEST_ID):
        raise HTTPNotFound()
    return int(text)
