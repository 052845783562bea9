"""What a person may decide about an email: resend it, release it or cancel it.

Each function makes one change or raises ``Refused``. ``many`` decides about many emails at once.
"""

from datetime import datetime

from sqlalchemy.orm import Session

from app.mail.composing.composer import Composer
from app.mail.composing.contexts import Unkeepable
from app.mail.kinds import Kind, Kinds
from app.mail.message import Message
from app.mail.metrics import EMAILS
from app.mail.outbox import copies, endings, rules
from app.mail.outbox.after_commit import call_after_commit
from app.mail.outbox.changes import update_emails
from app.mail.outbox.copies import next_key
from app.mail.outbox.rules import Facts, Obstacles, Refused, Why
from app.mail.outbox.tables import HAS_BODY, IS_UNCOMPOSED, NOT_ACCEPTED, OutboxEmail, State
from app.mail.problems import problem_of
from app.mail.recomposing import columns_of, compose_again, replace_attachments

__all__ = ["Refused", "cancel", "compose_for_resend", "next_key", "release", "resend"]


def resend(
    session: Session,
    email: OutboxEmail,
    kind: Kind | None,
    now: datetime,
    composer: Composer,
    seen: int | None = None,
    request_id: str = "",
) -> OutboxEmail:
    """Send an email again, and return the email that is queued.

    An email that no relay accepted returns to ``queued`` and keeps its Message-ID. If it could not
    be composed, ``composer`` composes it again. A sent or bounced one is copied into a new email
    with its own Message-ID. ``seen`` is the newest copy that the person knew of, 0 for none: with a
    newer one, the email was sent again meanwhile and is refused. ``request_id`` is the request or
    the command that asks for it. A copy keeps it.
    """
    if seen is not None and (newest := copies.newest_copy(session, email.key)) != seen:
        raise Refused(Why.RESENT, f"Email {email.id} was sent again just now: email {newest}.")
    facts = Facts.of(email)
    expires_at = rules.check_resend(facts, kind, now, _obstacles(session, facts, kind, now))
    if email.state in copies.ACCEPTED:
        return _copy(session, email, now, expires_at, request_id)
    if kind is not None and email.made_from is not None:
        composed = compose_for_resend(email, kind, composer)
        return _requeue(session, email, now, expires_at, composed)
    return _requeue(session, email, now, expires_at)


def release(session: Session, email: OutboxEmail, kind: Kind | None, now: datetime) -> OutboxEmail:
    """Send an email that is held because it is in doubt: ``unknown`` to ``queued``."""
    facts = Facts.of(email)
    expires_at = rules.check_release(facts, kind, now, _obstacles(session, facts, kind, now))
    return _requeue(session, email, now, expires_at)


def cancel(session: Session, email: OutboxEmail, kind: Kind | None, by: str) -> None:
    """Cancel an email that is queued or held. ``by`` says who decides, such as ``by a person``."""
    facts = Facts.of(email)
    rules.check_cancel(facts)
    erase = kind is None or kind.carries_secret
    if not endings.end(session, email, State.CANCELLED, f"cancelled {by}", erase=erase):
        raise _changed(email)


def compose_for_resend(email: OutboxEmail, kind: Kind, composer: Composer) -> Message:
    """The email, composed from what it keeps. Raises ``Refused`` when its template is broken."""
    try:
        message = compose_again(composer, kind, email)
    except Unkeepable as error:
        raise Refused(
            Why.UNCOMPOSED, f"Email {email.id} cannot be composed again: {error}."
        ) from error
    except Exception as error:
        raise Refused(
            Why.UNCOMPOSED,
            f"Email {email.id} {composer.problem_of(error, kind)}. Correct it, and resend it then.",
        ) from error
    if problem := problem_of(message):
        raise Refused(Why.UNCOMPOSED, f"Email {email.id} cannot be sent: {problem}.")
    return message


def _obstacles(session: Session, email: Facts, kind: Kind | None, now: datetime) -> Obstacles:
    kinds = Kinds()
    if kind is not None:
        kinds.add(kind)
    return rules.obstacles(session, [email], kinds, now)


def _changed(email: OutboxEmail) -> Refused:
    return Refused(
        Why.CHANGED, f"Email {email.id} was moved by somebody else just now. Look at it again."
    )


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
        raise _changed(email)
    call_after_commit(session, EMAILS.labels(email.kind, State.QUEUED).inc)
    if composed is not None:
        session.expire(email, ["attachments"])
        replace_attachments(session, email.id, composed)
    return email


def _copy(
    session: Session, email: OutboxEmail, now: datetime, expires_at: datetime, request_id: str
) -> OutboxEmail:
    """A new queued email with the same content. Its key is ``<key>#2``, then ``<key>#3``."""
    key = next_key(session, email.key)
    copy = copies.copy_of(email.id, email.message_id, key, expires_at)
    written = copies.write(session, [copy], now, request_id)
    if not written:
        raise _changed(email)
    return session.get_one(OutboxEmail, written[email.id])
