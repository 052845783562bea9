"""Erasing: what the outbox holds about one recipient goes, and what happened stays countable.

Kinds, states, times and the relay's codes stay. The address, names, subjects, bodies, files, the
words of the relay and all events go, so nobody can tell any more who the recipient was.
"""

from collections import Counter
from collections.abc import Sequence
from functools import partial

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from app.mail import addresses
from app.mail.copying import about_copies
from app.mail.events import suppression
from app.mail.metrics import EMAILS
from app.mail.outbox.after_commit import call_after_commit
from app.mail.outbox.changes import BODIES_ERASED, delete_attachments, update_emails
from app.mail.outbox.event_tables import EmailEvent
from app.mail.outbox.tables import ERASED, EmailAttempt, OutboxEmail, State

_ENDED_BY_ERASING = (State.QUEUED, State.UNKNOWN)


def erase_recipient(session: Session, address: str, limit: int) -> int:
    """Erase up to ``limit`` emails to ``address``, however its case is written. Returns how many.

    An email that waits or is held is cancelled first, because it cannot go out without its bodies.
    One that a worker is sending just now is left out: call this again once its verdict is there.
    """
    key = addresses.key_of(address)
    ids = session.scalars(
        select(OutboxEmail.id)
        .where(OutboxEmail.recipient_key == key, OutboxEmail.state != State.SENDING)
        .order_by(OutboxEmail.id)
        .limit(limit)
        .with_for_update()
    ).all()
    if ids:
        _erase(session, [*ids, *_copies(session, ids)])
    suppression.lift(session, key)
    return len(ids)


def _copies(session: Session, ids: Sequence[int]) -> Sequence[int]:
    """The copies of these emails that staff sent to themselves. They hold the same words."""
    return session.scalars(
        select(OutboxEmail.id)
        .where(
            OutboxEmail.about.in_([about_copies(id) for id in ids]),
            OutboxEmail.state != State.SENDING,
        )
        .with_for_update()
    ).all()


def _erase(session: Session, ids: Sequence[int]) -> None:
    cancelled = session.scalars(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(ids), OutboxEmail.state.in_(_ENDED_BY_ERASING))
        .values(state=State.CANCELLED, next_attempt_at=None, leased_by=None, leased_until=None)
        .returning(OutboxEmail.kind)
        .execution_options(synchronize_session=False)
    ).all()
    for kind, count in Counter(cancelled).items():
        call_after_commit(session, partial(EMAILS.labels(kind, State.CANCELLED).inc, count))
    update_emails(
        session,
        OutboxEmail.id.in_(ids),
        recipient=ERASED,
        recipient_key=ERASED,
        mailbox_key=ERASED,
        recipient_name="",
        subject=ERASED,
        reason=ERASED,
        asked_by=None,
        **BODIES_ERASED,
    )
    delete_attachments(session, ids)
    session.execute(
        delete(EmailEvent)
        .where(EmailEvent.email_id.in_(ids))
        .execution_options(synchronize_session=False)
    )
    session.execute(
        update(EmailAttempt)
        .where(EmailAttempt.email_id.in_(ids))
        .values(reply=ERASED)
        .execution_options(synchronize_session=False)
    )
