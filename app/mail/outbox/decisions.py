"""What a person may decide about an email: send it again, let it go, or stop it.

Each function makes one move of the outbox, or raises ``Refused`` with what to do instead.
"""

import re
from datetime import datetime
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail.kinds import Kind
from app.mail.outbox import endings
from app.mail.outbox.changes import move
from app.mail.outbox.tables import (
    HAS_BODY,
    NOT_ACCEPTED,
    EmailAttachment,
    OutboxEmail,
    State,
    SuppressedAddress,
    new_message_id,
)


class Refused(Exception):
    """The decision cannot be carried out; the text says why, and what to do instead."""


def resend(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> OutboxEmail:
    """Send an email again. One that was not accepted goes back to ``queued`` with its Message-ID;
    one that was sent becomes a new row with a Message-ID of its own. Returns the queued row.
    """
    if email.state == State.QUEUED:
        raise Refused(f"Email {email.id} is in the queue and goes out by itself.")
    if email.state == State.SENDING:
        raise Refused(f"Email {email.id} is being sent just now.")
    expires_at = _checked(session, email, kind, now)
    if email.state in (State.SENT, State.BOUNCED):
        return _copy(session, email, now, expires_at)
    return _requeued(session, email, now, expires_at)


def release(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> OutboxEmail:
    """Send a held email again, of which nobody knows whether the relay took it: ``unknown`` to
    ``queued``.
    """
    if email.state != State.UNKNOWN:
        raise Refused(f"Email {email.id} is {email.state}; only one that is unknown is held.")
    return _requeued(session, email, now, _checked(session, email, kind, now))


def cancel(session: Session, email: OutboxEmail, kind: Kind | None, by: str) -> None:
    """Stop an email that is queued or held: ``cancelled``. ``by`` says who decided it."""
    erase = kind is None or kind.carries_secret
    if not endings.end(session, email, State.CANCELLED, f"cancelled {by}", erase=erase):
        raise Refused(
            f"Email {email.id} is {email.state}; only one that is queued or unknown can be"
            " cancelled."
        )


def _requeued(
    session: Session, email: OutboxEmail, now: datetime, expires_at: datetime
) -> OutboxEmail:
    if not _requeue(session, email, now, expires_at):
        raise Refused(f"Email {email.id} was moved by somebody else just now. Look at it again.")
    return email


def _checked(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> datetime:
    """Until when the email is worth sending, if it may go out again at all."""
    if kind is None:
        raise Refused(f"There is no kind of email named {email.kind!r} any more.")
    if not email.has_body:
        raise Refused(f"Email {email.id} has no body to send. {_instead(email, kind)}")
    newer = endings.superseded(session, [email.id]) if kind.supersedes else {}
    if email.id in newer:
        raise Refused(f"Email {newer[email.id]} about the same thing is newer. Resend that one.")
    suppressed = session.get(SuppressedAddress, email.recipient_key)
    if suppressed is not None:
        raise Refused(f"No email goes to its address any more: {suppressed.reason}")
    if not kind.carries_secret:
        return now + kind.time_to_live
    if email.expires_at <= now:
        raise Refused(f"The link in email {email.id} has expired. {_instead(email, kind)}")
    return email.expires_at


def _instead(email: OutboxEmail, kind: Kind) -> str:
    if kind.carries_secret:
        return (
            "Such a body is erased as soon as it is not needed any more, and its link may be dead:"
            " ask the recipient to request a new one on the site."
        )
    return (
        "It could not be composed, or it was erased after email.retention_days: repeat what sent it"
        f" ({email.about}), or write to the recipient yourself."
    )


def _requeue(session: Session, email: OutboxEmail, now: datetime, expires_at: datetime) -> bool:
    """An email that was not accepted goes back to ``queued``: the same Message-ID, every retry
    before it.
    """
    return move(
        session,
        email,
        OutboxEmail.state == email.state,
        OutboxEmail.state.in_(NOT_ACCEPTED),
        HAS_BODY,
        state=State.QUEUED,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        expires_at=expires_at,
    )


def _copy(session: Session, email: OutboxEmail, now: datetime, expires_at: datetime) -> OutboxEmail:
    """A new queued email like one that was sent: its key is ``<key>#2`` (``#3`` ...), and it has a
    Message-ID of its own.
    """
    again = OutboxEmail(
        **{name: getattr(email, name) for name in _COPIED},
        key=_next_key(session, email.key),
        message_id=new_message_id(email.message_id.rpartition("@")[2].rstrip(">")),
        state=State.QUEUED,
        attempts=0,
        next_attempt_at=now,
        expires_at=expires_at,
        created_at=now,
        attachments=[
            EmailAttachment(
                position=attachment.position,
                filename=attachment.filename,
                content_type=attachment.content_type,
                content=attachment.content,
            )
            for attachment in email.attachments
        ],
    )
    session.add(again)
    session.flush()
    return again


_COPIED = (
    "kind",
    "about",
    "priority",
    "locale",
    "sender",
    "envelope_sender",
    "recipient_name",
    "recipient",
    "reply_to",
    "subject",
    "html_body",
    "text_body",
)


def _next_key(session: Session, key: str) -> str:
    first = re.sub(r"#[0-9]+$", "", key)
    taken = set(
        session.scalars(
            select(OutboxEmail.key).where(OutboxEmail.key.startswith(f"{first}#", autoescape=True))
        )
    )
    return next(name for number in count(2) if (name := f"{first}#{number}") not in taken)
