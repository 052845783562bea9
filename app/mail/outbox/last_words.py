"""The last words about an email: what the lists of emails show beside its state."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.mail.outbox.event_tables import EmailEvent
from app.mail.outbox.tables import EmailAttempt, OutboxEmail


def last_words(session: Session, emails: Sequence[OutboxEmail]) -> dict[int, str]:
    """For each email, by its id: the reason of its state, or else the words of the last event, or
    else the relay's last reply. Empty when nothing was said.
    """
    words = {email.id: email.reason or "" for email in emails}
    heard = [email.id for email in emails if email.heard is not None and not words[email.id]]
    words |= _of_events(session, heard)
    return words | _of_attempts(session, [id for id, said in words.items() if not said])


def with_code(code: str | None, words: str) -> str:
    """``words`` after their ``code``, unless they contain it."""
    return words if code is None or code in words else f"{code} {words}".strip()


def _of_events(session: Session, ids: Sequence[int]) -> dict[int, str]:
    if not ids:
        return {}
    last = select(func.max(EmailEvent.id)).where(EmailEvent.email_id.in_(ids))
    events = session.scalars(
        select(EmailEvent).where(EmailEvent.id.in_(last.group_by(EmailEvent.email_id)))
    )
    return {event.email_id: with_code(event.code, event.words) for event in events}


def _of_attempts(session: Session, ids: Sequence[int]) -> dict[int, str]:
    if not ids:
        return {}
    last = select(func.max(EmailAttempt.id)).where(EmailAttempt.email_id.in_(ids))
    attempts = session.execute(
        select(EmailAttempt.email_id, EmailAttempt.reply).where(
            EmailAttempt.id.in_(last.group_by(EmailAttempt.email_id))
        )
    )
    return {attempt.email_id: attempt.reply for attempt in attempts}
