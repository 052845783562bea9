"""Hearing: what an event about an email changes. Every webhook and every report ends here.

Events come late, twice and in any order. Each is written once, and the email follows the weightiest
one, so its outcome only rises.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session, lazyload, load_only

from app.database.base import insert_for
from app.mail.events import suppression
from app.mail.events.tags import Tags
from app.mail.kinds import Kinds
from app.mail.metrics import EMAILS, EVENTS
from app.mail.outbox.after_commit import call_after_commit
from app.mail.outbox.changes import BODIES_ERASED, delete_attachments, update_emails
from app.mail.outbox.event_tables import (
    UNDELIVERED,
    WEIGHTS,
    EmailEvent,
    Event,
    EventSource,
)
from app.mail.outbox.tables import ERASED, OutboxEmail, State

log = logging.getLogger(__name__)

LONGEST_WORDS = 1000
LONGEST_ID = 200
_SECOND = timedelta(seconds=1)
_NEEDED = (
    OutboxEmail.id,
    OutboxEmail.kind,
    OutboxEmail.state,
    OutboxEmail.heard,
    OutboxEmail.recipient_key,
    OutboxEmail.created_at,
    OutboxEmail.sent_at,
)
"""What an event needs of its email. Bodies and attachments would be read for nothing."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An event as a source tells it. ``tag`` or ``message_id`` names the email; an address that the
    source names is not believed.

    ``at`` is None where the source tells no time, and ``source_id`` is the source's own id of the
    event, at most 200 characters.
    """

    event: Event
    source_id: str
    tag: str = ""
    message_id: str = ""
    at: datetime | None = None
    code: str | None = None
    words: str = ""
    is_hard: bool = False
    """Whether the source counts a bounce as hard."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the events of one call: new ones, ones heard before, and ones about no email
    of ours.
    """

    new: int = 0
    again: int = 0
    unmatched: int = 0


def hear(
    session: Session,
    source: str,
    heard: Iterable[Heard],
    *,
    tags: Tags,
    kinds: Kinds,
    now: datetime,
    unused: int = 0,
) -> Counts:
    """Write the events, and change the emails that they are about, in the transaction of
    ``session``. ``source`` is the service, or ``report``. It also told ``unused`` events that say
    nothing about delivery.
    """
    new = again = unmatched = 0
    # Two calls at once lock all their emails first, in one order, and then the addresses in one.
    found = [(_email_id(session, event, tags), event) for event in heard]
    keys = _lock_all(session, {email_id for email_id, _ in found if email_id is not None})
    for email_id, event in sorted(found, key=lambda pair: keys.get(pair[0] or 0, "")):
        email = None if email_id is None else _locked(session, email_id)
        if email is None or email.recipient_key == ERASED:
            unmatched += 1
        elif _write(session, source, email, event, now):
            new += 1
            call_after_commit(session, EVENTS.labels(event.event).inc)
            _apply(session, email, event, kinds, now)
        else:
            again += 1
    _note(session, source, unmatched, unused, now)
    return Counts(new, again, unmatched)


def _email_id(session: Session, heard: Heard, tags: Tags) -> int | None:
    if heard.tag:
        return tags.email_id(heard.tag)
    if not heard.message_id:
        return None
    return session.scalar(select(OutboxEmail.id).where(OutboxEmail.message_id == heard.message_id))


def _lock_all(session: Session, ids: set[int]) -> dict[int, str]:
    """Lock the emails. Returns the key of each recipient by the email's id."""
    rows = session.execute(
        select(OutboxEmail.id, OutboxEmail.recipient_key)
        .where(OutboxEmail.id.in_(ids))
        .order_by(OutboxEmail.id)
        .with_for_update()
    )
    return dict(rows.all())


def _locked(session: Session, email_id: int) -> OutboxEmail | None:
    return session.scalars(
        select(OutboxEmail)
        .where(OutboxEmail.id == email_id)
        .options(load_only(*_NEEDED), lazyload(OutboxEmail.attachments))
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()


def _write(session: Session, source: str, email: OutboxEmail, heard: Heard, now: datetime) -> bool:
    """Write the event. False when it is written already."""
    written = session.scalar(
        insert_for(session, EmailEvent)
        .values(
            email_id=email.id,
            at=_time_of(email, heard, now),
            source=source,
            event=heard.event,
            code=heard.code,
            words=_plain(heard.words)[:LONGEST_WORDS],
            is_hard=_is_hard(heard),
            source_id=_plain(heard.source_id)[:LONGEST_ID],
        )
        .on_conflict_do_nothing()
        .returning(EmailEvent.id)
    )
    return written is not None


def _apply(session: Session, email: OutboxEmail, heard: Heard, kinds: Kinds, now: datetime) -> None:
    is_weightier = email.heard is None or WEIGHTS[heard.event] > WEIGHTS[Event(email.heard)]
    if is_weightier:
        _raise_outcome(session, email, heard, kinds, now)
    at = _time_of(email, heard, now)
    if heard.event is Event.DELIVERED:
        earliest = case((OutboxEmail.delivered_at < at, OutboxEmail.delivered_at), else_=at)
        update_emails(session, OutboxEmail.id == email.id, delivered_at=earliest)
    is_ended = email.heard in UNDELIVERED and heard.event is Event.DELIVERED
    if not is_ended:
        hard = _is_hard(heard)
        suppression.after_event(session, email, heard.event, heard.code, hard=hard, at=at, now=now)
    log.info(
        "event heard: email=%d kind=%s event=%s code=%s",
        email.id,
        email.kind,
        heard.event,
        heard.code,
    )


def _raise_outcome(
    session: Session, email: OutboxEmail, heard: Heard, kinds: Kinds, now: datetime
) -> None:
    """Note the event as the email's weightiest, and move the email as it says.

    Whoever tells what became of an email knows that the relay took it. So an email in doubt is
    settled, and one that waits for another try of it does not go out again. An email that a worker
    is sending keeps its state: the settlement of its verdict looks at ``heard``.
    """
    is_undelivered = heard.event in UNDELIVERED
    state = State.BOUNCED if is_undelivered else State.SENT
    values: dict[str, Any] = {
        "heard": heard.event,
        "sent_at": func.coalesce(OutboxEmail.sent_at, now),
    }
    if is_undelivered:
        values["reason"] = _reason(heard)
    elif email.state not in (State.SENT, State.SENDING):
        values["reason"] = None
    if email.state != State.SENDING:
        kind = kinds.get(email.kind)
        erase = kind is None or kind.carries_secret
        values |= {"state": state, "next_attempt_at": None, "leased_by": None, "leased_until": None}
        if erase:
            values |= BODIES_ERASED
            delete_attachments(session, [email.id])
    update_emails(session, OutboxEmail.id == email.id, **values)
    if "state" in values and email.state != state:
        call_after_commit(session, EMAILS.labels(email.kind, state).inc)
    if email.state in (State.QUEUED, State.UNKNOWN):
        log.info("email in doubt settled: email=%d kind=%s state=%s", email.id, email.kind, state)


def _reason(heard: Heard) -> str:
    words = _plain(heard.words)[:LONGEST_WORDS] or str(heard.event)
    return words if heard.code is None or heard.code in words else f"{heard.code} {words}"


def _is_hard(heard: Heard) -> bool:
    return heard.event is Event.BOUNCED and suppression.is_hard(
        heard.code, says_service=heard.is_hard
    )


def _time_of(email: OutboxEmail, heard: Heard, now: datetime) -> datetime:
    """When it happened. Whatever the source's clock says, that is not before the email was written
    and not later than now.
    """
    return now if heard.at is None else min(max(heard.at, email.created_at), now)


def _plain(text: str) -> str:
    """``text`` in one line, without what a database refuses or a terminal obeys."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def note_confirmation(session: Session, source: str, link: str, now: datetime) -> None:
    """Note that a person has to open ``link`` before the source tells of events."""
    _change_source(session, source, heard_at=now, confirmation_link=link)


def _note(session: Session, source: str, unmatched: int, unused: int, now: datetime) -> None:
    """Note that the source was heard, and how much of what it told is of no use."""
    values: dict[str, Any] = {"heard_at": now, "confirmation_link": None}
    if unmatched:
        values |= {"unmatched": EventSource.unmatched + unmatched, "unmatched_at": now}
    if unused:
        values |= {"unused": EventSource.unused + unused}
    noted = session.execute(
        select(EventSource.heard_at, EventSource.confirmation_link).where(
            EventSource.name == source
        )
    ).one_or_none()
    # Calls at once would wait for each other's row, so it changes once a second at most.
    is_noted = (
        noted is not None
        and timedelta(0) <= now - noted.heard_at < _SECOND
        and noted.confirmation_link is None
    )
    if unmatched or unused or not is_noted:
        _change_source(session, source, **values)


def _change_source(session: Session, source: str, **values: Any) -> None:
    session.execute(
        insert_for(session, EventSource)
        .values(name=source, heard_at=values["heard_at"], unmatched=0, unused=0)
        .on_conflict_do_nothing()
    )
    session.execute(update(EventSource).where(EventSource.name == source).values(**values))
