"""Suppression: how long nothing is sent to an address that emails came back from.

A hard bounce says that the address takes no email. It suppresses for a day, the next one for a
week, every further one for 30 days. Three soft bounces within a week suppress for a day, and a
complaint for 30 days. Refusals about us (x.7.x) never do.

An email that is delivered ends it, and so does whoever confirms the address or is one of our staff.
The owner of the address may have it tried again, and then the bounces still count.
"""

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, or_, select, update
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.database.housekeeping import delete_rows
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
CAME_BACK = "an email to it came back"
RETENTION = timedelta(days=180)
"""How long after its end a suppression still counts for the next one."""


def is_hard(code: str | None, *, says_service: bool = False) -> bool:
    """Whether a bounce with this enhanced status code is hard. ``says_service``: the service counts
    it as hard, which decides where the code does not.
    """
    if _is_about_us(code):
        return False
    return code in HARD_CODES or says_service


def _is_about_us(code: str | None) -> bool:
    # RFC 3463 3.8: x.7.x is the receiver's policy, such as what it thinks of our server.
    return code is not None and code[1:].startswith(".7.")


def after_event(
    session: Session,
    email: OutboxEmail,
    event: Event,
    code: str | None,
    *,
    hard: bool,
    at: datetime,
    now: datetime,
) -> None:
    """Suppress the recipient of ``email``, or end its suppression, as an event asks for that
    happened ``at`` and is heard for the first time. The event is in its table already.
    """
    match event:
        case Event.DELIVERED:
            _end(session, email.recipient_key, at, now)
        case Event.COMPLAINED:
            reason = "it reported our email as spam"
            _suppress(session, email, event, code, reason, now, wait=COMPLAINT)
        case Event.BOUNCED if hard:
            sent_at = email.sent_at or now
            _count_hard_bounce(session, email, code, _words("bounced", code), sent_at, now)
        case Event.BOUNCED if not _is_about_us(code):
            if _soft_bounces(session, email.recipient_key, now) >= SOFT_BOUNCES:
                reason = _words("bounced three times in a week", code)
                _suppress(session, email, event, code, reason, now, wait=SOFT_BOUNCE)


def is_hard_refusal(verdict: Verdict) -> bool:
    """Whether the relay refused RCPT with a code that says that the address takes no email."""
    is_refusal = verdict.outcome is Outcome.REFUSED and verdict.phase is Phase.RCPT
    return is_refusal and is_hard(verdict.enhanced_code)


def after_refusal(
    connection: Session | Connection, email: OutboxEmail, verdict: Verdict, now: datetime
) -> None:
    """Suppress the recipient of an email that was refused as ``is_hard_refusal`` says."""
    code = verdict.enhanced_code
    _count_hard_bounce(connection, email, code, _words("was refused", code), now, now)


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


def try_again(session: Session | Connection, recipient_key: str, now: datetime) -> None:
    """Let emails go to the address until the next bounce, because its owner asks for it. Its
    bounces still count, so that the next one suppresses for longer.
    """
    _lock(session, recipient_key, now)
    _update(session, recipient_key, until=now, tried_again_at=now)


def sweep(session: Session, now: datetime, limit: int) -> int:
    """Delete suppressions that ended long ago, for housekeeping."""
    ended = select(SuppressedAddress.address).where(SuppressedAddress.until < now - RETENTION)
    return delete_rows(session, SuppressedAddress.address, ended.limit(limit))


def _end(session: Session, recipient_key: str, delivered_at: datetime, now: datetime) -> None:
    """End the suppression of an address that took an email at ``delivered_at``.

    Emails may be on their way when a suppression begins. One that was delivered before says nothing
    about the address now. The owner of a mailbox that takes our emails may still not want them, so
    a complaint's suppression runs to its end.
    """
    session.execute(
        delete(SuppressedAddress)
        .where(
            SuppressedAddress.address == recipient_key,
            SuppressedAddress.created_at <= delivered_at,
            or_(
                SuppressedAddress.event.is_distinct_from(Event.COMPLAINED),
                SuppressedAddress.until <= now,
            ),
        )
        .execution_options(synchronize_session=False)
    )


def _words(what: str, code: str | None) -> str:
    return f"an email to it {what}" + (f" ({code})" if code else "")


def _soft_bounces(session: Session, recipient_key: str, now: datetime) -> int:
    """How many emails to the address have bounced lately, and not because of us."""
    counted = session.execute(
        select(func.count(EmailEvent.email_id.distinct()))
        .join(OutboxEmail, OutboxEmail.id == EmailEvent.email_id)
        .where(
            OutboxEmail.recipient_key == recipient_key,
            EmailEvent.event == Event.BOUNCED,
            EmailEvent.is_hard.is_(False),
            or_(EmailEvent.code.is_(None), EmailEvent.code.not_like("_.7.%")),
            EmailEvent.at > now - SOFT_WINDOW,
        )
    )
    return int(counted.scalar_one())


def _count_hard_bounce(
    session: Session | Connection,
    email: OutboxEmail,
    code: str | None,
    reason: str,
    sent_at: datetime,
    now: datetime,
) -> None:
    """Suppress for longer than after the bounce before.

    Several emails may be on their way to an address that does not exist, and all of them come back.
    Only the first tells something new. So a bounce counts when none did before, or when its email
    was sent after the last suppression had begun, and that suppression is over.
    """
    row = _lock(session, email.recipient_key, now)
    if row.bounces and (row.until > now or sent_at <= row.created_at):
        return
    bounces = row.bounces + 1
    wait = HARD_BOUNCE[min(bounces, len(HARD_BOUNCE)) - 1]
    _suppress(session, email, Event.BOUNCED, code, reason, now, wait=wait)
    _update(session, email.recipient_key, bounces=bounces)


def _suppress(
    session: Session | Connection,
    email: OutboxEmail,
    event: Event,
    code: str | None,
    reason: str,
    now: datetime,
    *,
    wait: timedelta,
) -> None:
    """Suppress the recipient of ``email`` for ``wait``, unless a suppression that runs already ends
    later.
    """
    until = now + wait
    if _lock(session, email.recipient_key, now).until >= until:
        return
    _update(
        session,
        email.recipient_key,
        reason=reason,
        event=event,
        code=code,
        created_at=now,
        until=until,
        email_id=email.id,
    )
    log.warning("address suppressed: email=%d until=%s", email.id, until.isoformat())


def _lock(
    session: Session | Connection, recipient_key: str, now: datetime
) -> Row[datetime, datetime, int]:
    """The address's row, locked. A new one suppresses nothing."""
    session.execute(
        insert_for(session, SuppressedAddress)
        .values(address=recipient_key, reason=CAME_BACK, created_at=now, until=now, bounces=0)
        .on_conflict_do_nothing()
    )
    return session.execute(
        select(SuppressedAddress.created_at, SuppressedAddress.until, SuppressedAddress.bounces)
        .where(SuppressedAddress.address == recipient_key)
        .with_for_update()
    ).one()


def _update(session: Session | Connection, recipient_key: str, **values: Any) -> None:
    session.execute(
        update(SuppressedAddress)
        .where(SuppressedAddress.address == recipient_key)
        .values(**values)
        .execution_options(synchronize_session=False)
    )
