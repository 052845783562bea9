"""Reach: whether emails reach an address, for its owner to see."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from app.mail.outbox.event_tables import EmailEvent, Event
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress


@dataclass(frozen=True, slots=True)
class Unreachable:
    """Emails do not reach an address. ``event`` and ``code`` say why, as far as that is known.

    ``until`` is the end of the suppression, None when only the last email bounced.
    """

    event: str | None
    code: str | None
    until: datetime | None = None
    tried_again_at: datetime | None = None


def unreachable(session: Session, recipient_key: str, now: datetime) -> Unreachable | None:
    """Why emails do not reach the address: it is suppressed, or the last email to it bounced and
    its owner has not asked for another try since. None when nothing is known against it.
    """
    # Every page of a signed-in customer asks this, so it is one statement on two indexes.
    last_id = (
        select(OutboxEmail.id)
        .where(
            OutboxEmail.recipient_key == recipient_key,
            OutboxEmail.state.in_([State.SENT, State.BOUNCED]),
        )
        .order_by(OutboxEmail.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    one_row = select(literal(1)).subquery()
    suppressed, last, heard, written_at = session.execute(
        select(SuppressedAddress, OutboxEmail.id, OutboxEmail.heard, OutboxEmail.created_at)
        .select_from(one_row)
        .outerjoin(SuppressedAddress, SuppressedAddress.address == recipient_key)
        .outerjoin(OutboxEmail, OutboxEmail.id == last_id)
    ).one()
    tried_again_at = suppressed.tried_again_at if suppressed is not None else None
    if suppressed is not None and suppressed.until > now:
        return Unreachable(suppressed.event, suppressed.code, suppressed.until, tried_again_at)
    if heard != Event.BOUNCED or (tried_again_at is not None and written_at < tried_again_at):
        return None
    code = bounce_codes(session, [last]).get(last)
    return Unreachable(Event.BOUNCED, code, tried_again_at=tried_again_at)


def bounce_codes(session: Session, email_ids: list[int]) -> dict[int, str | None]:
    """The enhanced status codes (RFC 3463) with which these emails bounced, by id. None where the
    bounce had no code.
    """
    rows = session.execute(
        select(EmailEvent.email_id, EmailEvent.code)
        .where(EmailEvent.email_id.in_(email_ids), EmailEvent.event == Event.BOUNCED)
        .order_by(EmailEvent.id)
    )
    codes: dict[int, str | None] = {}
    for email_id, code in rows:
        codes[email_id] = code or codes.get(email_id)
    return codes
