"""Refusals in a row: the same words to several recipients are about us, not about their emails."""

from datetime import datetime

from sqlalchemy import Connection, delete, func, select

from app.mail.outbox.changes import update_emails
from app.mail.outbox.tables import (
    HAS_BODY,
    EmailAttempt,
    OutboxEmail,
    State,
    SuppressedAddress,
)
from app.mail.smtp.replies import Outcome, Verdict
from app.mail.smtp.reply_text import fingerprint


def is_about_us(
    connection: Connection, email: OutboxEmail, verdict: Verdict, now: datetime
) -> bool:
    """Whether the relay has refused ``email`` and two other recipients in a row in the same words.
    The table of replies cannot know all words. The earlier emails then go out after all, and the
    addresses that they suppressed are free again.
    """
    alike = _refused_alike(connection, email, verdict)
    if len(set(alike.values())) < 2:
        return False
    # Words are compared without their codes, so one of these refusals may have had a hard code.
    connection.execute(delete(SuppressedAddress).where(SuppressedAddress.email_id.in_(alike)))
    _requeue(connection, [*alike], now)
    return True


def _refused_alike(connection: Connection, email: OutboxEmail, verdict: Verdict) -> dict[int, str]:
    """The other emails that the relay has just refused in the same words, one after the other, by
    id, with their recipients.
    """
    attempts = connection.execute(
        select(
            EmailAttempt.email_id,
            EmailAttempt.outcome,
            EmailAttempt.reply,
            OutboxEmail.recipient_key,
        )
        .join(OutboxEmail, OutboxEmail.id == EmailAttempt.email_id)
        .order_by(EmailAttempt.id.desc())
        .limit(50)
    )
    words = fingerprint(verdict.reply)
    alike: dict[int, str] = {}
    for attempt in attempts:
        is_refusal = attempt.outcome in (Outcome.REFUSED, Outcome.ABOUT_US)
        if not is_refusal or fingerprint(attempt.reply) != words:
            break
        if attempt.recipient_key != email.recipient_key:
            alike[attempt.email_id] = attempt.recipient_key
    return alike


def _requeue(connection: Connection, email_ids: list[int], now: datetime) -> None:
    """Return failed emails to ``queued``, because their refusal was about us. An email that was
    refused a third time stays ``failed``: then it may be the cause.
    """
    refusals = (
        select(func.count())
        .where(EmailAttempt.email_id == OutboxEmail.id, EmailAttempt.outcome == Outcome.REFUSED)
        .scalar_subquery()
    )
    update_emails(
        connection,
        OutboxEmail.id.in_(email_ids),
        OutboxEmail.state == State.FAILED,
        OutboxEmail.expires_at > now,
        HAS_BODY,
        refusals < 3,
        state=State.QUEUED,
        next_attempt_at=now,
    )
