"""What a person may decide about an email: resend it, release it or cancel it.

Each function makes one change or raises ``Refused``.
"""

import re
from datetime import datetime
from itertools import count

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail.composing.composer import Composer
from app.mail.composing.contexts import Unkeepable
from app.mail.kinds import Kind
from app.mail.message import Message
from app.mail.outbox import endings
from app.mail.outbox.changes import update_emails
from app.mail.outbox.tables import (
    HAS_BODY,
    IS_UNCOMPOSED,
    NOT_ACCEPTED,
    OutboxEmail,
    State,
    attachment_rows,
    new_message_id,
    suppressions,
)
from app.mail.problems import problem_of
from app.mail.recomposing import columns_of, compose_again, replace_attachments


class Refused(Exception):
    """The decision cannot be carried out. The text says why, and what to do instead."""


def resend(
    session: Session, email: OutboxEmail, kind: Kind | None, now: datetime, composer: Composer
) -> OutboxEmail:
    """Send an email again, and return the email that is queued.

    An email that no relay accepted returns to ``queued`` and keeps its Message-ID. If it could not
    be composed, ``composer`` composes it again. A sent or bounced one is copied into a new email
    with its own Message-ID.
    """
    if email.state == State.QUEUED:
        raise Refused(f"Email {email.id} is in the queue and goes out by itself.")
    if email.state == State.SENDING:
        raise Refused(f"Email {email.id} is being sent just now.")
    expires_at = _new_expiry(session, email, kind, now)
    if email.state in (State.SENT, State.BOUNCED):
        return _copy(session, email, now, expires_at)
    if kind is not None and email.made_from is not None:
        composed = _composed_again(email, kind, composer)
        return _requeue(session, email, now, expires_at, composed)
    return _requeue(session, email, now, expires_at)


def release(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> OutboxEmail:
    """Send an email that is held because it is in doubt: ``unknown`` to ``queued``."""
    if email.state != State.UNKNOWN:
        raise Refused(f"Email {email.id} is {email.state}; only one that is unknown is held.")
    return _requeue(session, email, now, _new_expiry(session, email, kind, now))


def cancel(session: Session, email: OutboxEmail, kind: Kind | None, by: str) -> None:
    """Cancel an email that is queued or held. ``by`` says who decides, such as ``by a person``."""
    erase = kind is None or kind.carries_secret
    if not endings.end(session, email, State.CANCELLED, f"cancelled {by}", erase=erase):
        raise Refused(
            f"Email {email.id} is {email.state}; only one that is queued or unknown can be"
            " cancelled."
        )


def _new_expiry(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> datetime:
    """When the email expires if it is sent again. Raises ``Refused`` when it may not be sent."""
    if kind is None:
        raise Refused(f"There is no kind of email named {email.kind!r} any more.")
    if not email.has_body and email.made_from is None:
        raise Refused(f"Email {email.id} has no body to send. {_alternative(email, kind)}")
    newer = endings.superseded(session, [email.id]) if kind.supersedes else {}
    if email.id in newer:
        raise Refused(f"Email {newer[email.id]} about the same thing is newer. Resend that one.")
    for suppressed in suppressions(session, [email.recipient_key], now).values():
        raise Refused(
            f"No email goes to its address before {suppressed.until:%Y-%m-%d %H:%M} UTC:"
            f" {suppressed.reason}"
        )
    if not kind.carries_secret:
        return now + kind.time_to_live
    if email.expires_at <= now:
        raise Refused(f"The link in email {email.id} has expired. {_alternative(email, kind)}")
    return email.expires_at


def _alternative(email: OutboxEmail, kind: Kind) -> str:
    if kind.carries_secret:
        return (
            "Such a body is erased as soon as it is not needed any more, and its link may be dead:"
            " ask the recipient to request a new one on the site."
        )
    return (
        "It was erased after email.retention_days, or it could not be kept: repeat what sent it"
        f" ({email.about}), or write to the recipient yourself."
    )


def _composed_again(email: OutboxEmail, kind: Kind, composer: Composer) -> Message:
    """The email, composed from what it keeps. Raises ``Refused`` when its template is broken."""
    try:
        message = compose_again(composer, kind, email)
    except Unkeepable as error:
        raise Refused(f"Email {email.id} cannot be composed again: {error}.") from error
    except Exception as error:
        raise Refused(
            f"Email {email.id} {composer.problem_of(error, kind)}. Correct it, and resend it then."
        ) from error
    if problem := problem_of(message):
        raise Refused(f"Email {email.id} cannot be sent: {problem}.")
    return message


def _requeue(
    session: Session,
    email: OutboxEmail,
    now: datetime,
    expires_at: datetime,
    composed: Message | None = None,
) -> OutboxEmail:
    """Return the email to ``queued`` with all its retries, and with the bodies of ``composed``."""
    requeued = update_emails(
        session,
        OutboxEmail.id == email.id,
        OutboxEmail.state == email.state,
        OutboxEmail.state.in_(NOT_ACCEPTED),
        HAS_BODY if composed is None else IS_UNCOMPOSED,
        state=State.QUEUED,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        expires_at=expires_at,
        **({} if composed is None else columns_of(composed)),
    )
    if not requeued:
        raise Refused(f"Email {email.id} was moved by somebody else just now. Look at it again.")
    if composed is not None:
        session.expire(email, ["attachments"])
        replace_attachments(session, email, composed)
    return email


def _copy(session: Session, email: OutboxEmail, now: datetime, expires_at: datetime) -> OutboxEmail:
    """A new queued email with the same content. Its key is ``<key>#2``, then ``<key>#3``."""
    copied = OutboxEmail(
        **{name: getattr(email, name) for name in _COPIED_COLUMNS},
        key=next_key(session, email.key),
        message_id=new_message_id(email.message_id.rpartition("@")[2].rstrip(">")),
        state=State.QUEUED,
        attempts=0,
        next_attempt_at=now,
        expires_at=expires_at,
        created_at=now,
        attachments=attachment_rows(email.attachments),
    )
    session.add(copied)
    session.flush()
    return copied


_COPIED_COLUMNS = (
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


def next_key(session: Session, key: str) -> str:
    """The key of one more email for the same act: ``<key>#2``, then ``<key>#3``."""
    original = original_key(key)
    copies = OutboxEmail.key.startswith(f"{original}#", autoescape=True)
    taken = set(session.scalars(select(OutboxEmail.key).where(copies)))
    return next(name for number in count(2) if (name := f"{original}#{number}") not in taken)


def original_key(key: str) -> str:
    """The key of the email that one with ``key`` is a copy of: what stands before ``#2``."""
    return re.sub(r"#[0-9]+$", "", key)
