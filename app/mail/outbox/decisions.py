"""What a person may decide about an email: send it again, let it go, or stop it.

Each function makes one move of the outbox, or raises ``Refused`` with what to do instead.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from app.mail.kinds import Kind
from app.mail.outbox import moves as outbox
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress


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
        return outbox.copy(session, email, now, expires_at)
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
    if not outbox.never_sent(session, email, State.CANCELLED, f"cancelled {by}", erase=erase):
        raise Refused(
            f"Email {email.id} is {email.state}; only one that is queued or unknown can be"
            " cancelled."
        )


def _requeued(
    session: Session, email: OutboxEmail, now: datetime, expires_at: datetime
) -> OutboxEmail:
    if not outbox.requeue(session, email, now, expires_at):
        raise Refused(f"Email {email.id} was moved by somebody else just now. Look at it again.")
    return email


def _checked(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> datetime:
    """Until when the email is worth sending, if it may go out again at all."""
    if kind is None:
        raise Refused(f"There is no kind of email named {email.kind!r} any more.")
    if not email.has_body:
        raise Refused(f"Email {email.id} has no body to send. {_instead(email, kind)}")
    newer = outbox.superseded(session, [email.id]) if kind.supersedes else {}
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
