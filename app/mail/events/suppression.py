"""Suppression: how long nothing is sent to an address that emails came back from.

A hard bounce says that the address takes no email. It suppresses for a day, the next one for a
week, every further one for 30 days. Three soft bounces within a week suppress for a day, and a
complaint for 30 days. Refusals about us (5.7.x) never do. An email that is delivered ends it.
"""

import logging
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.mail import addresses
from app.mail.outbox.event_tables import EmailEvent, Event
from app.mail.outbox.tables import OutboxEmail, SuppressedAddress
from app.mail.smtp.replies import Outcome, Phase, Verdict

log = logging.getLogger(__name__)

HARD_CODES = frozenset({"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1", "5.4.4"})
"""Enhanced status codes (RFC 3463, RFC 7505) that say that the address takes no email."""
HARD_BOUNCE = (timedelta(days=1), timedelta(days=7), timedelta(days=30))
"""How long the first, the second and every further hard bounce suppresses."""
SOFT_BOUNCE = timedelta(days=1)
SOFT_BOUNCES = 3
SOFT_WINDOW = timedelta(days=7)
COMPLAINT = timedelta(days=30)


def is_hard(code: str | None, *, says_service: bool = False) -> bool:
    """Whether a bounce with this enhanced status code is hard. ``says_service``: the service counts
    it as hard, which decides where the code does not.
    """
    if _is_about_us(code):
        return False
    return code in HARD_CODES or says_service


def _is_about_us(code: str | None) -> bool:
    return code is not None and code.startswith("5.7.")


def after_event(
    session: Session | Connection,
    email_id: int,
    recipient_key: str,
    event: Event,
    code: str | None,
    *,
    hard: bool,
    now: datetime,
) -> None:
    """Suppress the recipient, or end its suppression, as an event that is heard for the first time
    asks for. The event is in its table already.
    """
    match event:
        case Event.DELIVERED:
            lift(session, recipient_key)
        case Event.COMPLAINED:
            _suppress(session, recipient_key, email_id, "it reported our email as spam", now)
        case Event.BOUNCED if hard:
            _suppress(session, recipient_key, email_id, _words("bounced", code), now, hard=True)
        case Event.BOUNCED if not _is_about_us(code):
            if _soft_bounces(session, recipient_key, now) >= SOFT_BOUNCES:
                reason = _words("bounced three times in a week", code)
                _suppress(session, recipient_key, email_id, reason, now, wait=SOFT_BOUNCE)


def is_hard_refusal(verdict: Verdict) -> bool:
    """Whether the relay refused RCPT with a code that says that the address takes no email."""
    is_refusal = verdict.outcome is Outcome.REFUSED and verdict.phase is Phase.RCPT
    return is_refusal and is_hard(verdict.enhanced_code)


def after_refusal(
    connection: Session | Connection, email: OutboxEmail, verdict: Verdict, now: datetime
) -> None:
    """Suppress the recipient of an email that was refused as ``is_hard_refusal`` says."""
    reason = _words("was refused", verdict.enhanced_code)
    _suppress(connection, email.recipient_key, email.id, reason, now, hard=True)


def lift(session: Session | Connection, recipient_key: str) -> bool:
    """End the suppression of an address, and forget its bounces. Returns whether there was one."""
    lifted = session.execute(
        delete(SuppressedAddress)
        .where(SuppressedAddress.address == recipient_key)
        .execution_options(synchronize_session=False)
    )
    return bool(lifted.rowcount)  # type: ignore[attr-defined]


def lift_address(session: Session | Connection, address: str) -> bool:
    """``lift`` for an address as a person writes it."""
    return lift(session, addresses.key_of(address))


def _words(what: str, code: str | None) -> str:
    return f"an email to it {what}" + (f" ({code})" if code else "")


def _soft_bounces(session: Session | Connection, recipient_key: str, now: datetime) -> int:
    counted = session.execute(
        select(func.count())
        .select_from(EmailEvent)
        .join(OutboxEmail, OutboxEmail.id == EmailEvent.email_id)
        .where(
            OutboxEmail.recipient_key == recipient_key,
            EmailEvent.event == Event.BOUNCED,
            EmailEvent.is_hard.is_(False),
            EmailEvent.at > now - SOFT_WINDOW,
        )
    )
    return int(counted.scalar_one())


def _suppress(
    session: Session | Connection,
    recipient_key: str,
    email_id: int,
    reason: str,
    now: datetime,
    *,
    hard: bool = False,
    wait: timedelta = COMPLAINT,
) -> None:
    """Suppress the address for ``wait``, or as long as its count of hard bounces asks for.

    Several emails to one address may bounce one after the other, so a bounce counts only when no
    suppression runs. A suppression never gets shorter.
    """
    session.execute(
        insert_for(session, SuppressedAddress)
        .values(address=recipient_key, reason=reason, created_at=now, until=now, bounces=0)
        .on_conflict_do_nothing()
    )
    row = session.execute(
        select(SuppressedAddress.until, SuppressedAddress.bounces)
        .where(SuppressedAddress.address == recipient_key)
        .with_for_update()
    ).one()
    bounces = row.bounces
    if hard:
        bounces += 1 if row.until <= now else 0
        wait = HARD_BOUNCE[min(max(bounces, 1), len(HARD_BOUNCE)) - 1]
    until = max(row.until, now + wait) if row.until <= now or not hard else row.until
    session.execute(
        update(SuppressedAddress)
        .where(SuppressedAddress.address == recipient_key)
        .values(reason=reason, created_at=now, until=until, bounces=bounces, email_id=email_id)
        .execution_options(synchronize_session=False)
    )
    log.warning("address suppressed: email=%d until=%s", email_id, until.isoformat())
