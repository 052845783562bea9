"""Refusals in a row: the same words to several recipients are about us, not about their emails."""

from datetime import datetime

from sqlalchemy import Connection, func, select

from app.mail.outbox.changes import update_emails
from app.mail.outbox.tables import HAS_BODY, EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome, Verdict
from app.mail.smtp.reply_text import fingerprint


def refused_alike(connection: Connection, email: OutboxEmail, verdict: Verdict) -> list[int] | None:
    """The ids of other recipients' emails that the relay has just refused in the same words as
    ``email``, one after the other; None unless they have two different recipients.
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
    words, alike = fingerprint(verdict.reply), {}
    for attempt in attempts:
        is_refusal = attempt.outcome in (Outcome.REFUSED, Outcome.ABOUT_US)
        if not is_refusal or fingerprint(attempt.reply) != words:
            break
        if attempt.recipient_key != email.recipient_key:
            alike[attempt.email_id] = attempt.recipient_key
    return [*alike] if len(set(alike.values())) >= 2 else None


def requeue_refused(connection: Connection, email_ids: list[int], now: datetime) -> None:
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
