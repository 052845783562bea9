"""Endings."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import and_, case, func, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from app.mail.outbox.changes import NO_BODIES, delete_attachments, move
from app.mail.outbox.claims import is_unleased
from app.mail.outbox.tables import HAS_BODY, IS_QUEUED, UNDER_WAY, OutboxEmail, State

TOO_LATE = "its time to live ended before it could go out"
"""The reason of what is expired."""


def end(session: Session, email: OutboxEmail, state: State, reason: str, *, erase: bool) -> bool:
    """A guard's or a person's decision that this email does not go out: ``queued`` (or ``unknown``)
    ends in ``state``.
    """
    return move(
        session,
        email,
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        state=state,
        reason=reason,
        next_attempt_at=None,
        leased_by=None,
        leased_until=None,
        erase=erase,
    )


def supersede(session: Session, newer: OutboxEmail, *, erase: bool) -> int:
    """Every older queued email of the same kind about the same thing: ``superseded`` by ``newer``.
    What is being sent just now is found by ``superseded``.
    """
    return _end_all(
        session,
        OutboxEmail.kind == newer.kind,
        OutboxEmail.about == newer.about,
        OutboxEmail.id < newer.id,
        OutboxEmail.state == "queued",
        state=State.SUPERSEDED,
        reason=newer_reason(newer.id),
        keep=() if erase else (newer.kind,),
    )


def newer_reason(newer: int) -> str:
    """The reason of what the email of that id superseded."""
    return f"email {newer} about the same thing is newer"


def superseded(session: Session, email_ids: Collection[int]) -> dict[int, int]:
    """Those of ``email_ids`` that have a newer email of their kind about the same thing which went
    out or will, with the newest one's id: an older one that came back to the queue after it, or two
    that were written at the same time.
    """
    newer = aliased(OutboxEmail)
    rows = session.execute(
        select(OutboxEmail.id, func.max(newer.id))
        .join(
            newer,
            and_(
                newer.about == OutboxEmail.about,
                newer.kind == OutboxEmail.kind,
                newer.id > OutboxEmail.id,
                newer.state.in_([*UNDER_WAY, State.SENT, State.BOUNCED, State.CAPTURED]),
            ),
        )
        .where(OutboxEmail.id.in_(email_ids))
        .group_by(OutboxEmail.id)
    )
    return dict(rows.all())


def expire(session: Session, now: datetime, *, keep: Collection[str], limit: int) -> int:
    """Up to ``limit`` queued emails whose time to live ended: ``expired``. A relay that rests keeps
    them from the guard that would find them otherwise. Bodies of the kinds ``keep`` stay.
    """
    return _end_all(
        session,
        IS_QUEUED,
        OutboxEmail.expires_at <= now,
        is_unleased(now),
        state=State.EXPIRED,
        reason=TOO_LATE,
        keep=keep,
        limit=limit,
    )


def cancel_all(session: Session, reason: str, *, keep: Collection[str], limit: int) -> int:
    """Up to ``limit`` emails that may still go out: ``cancelled``. For a database whose workers are
    gone, so what one was sending counts too. Bodies of the kinds ``keep`` stay.
    """
    return _end_all(
        session,
        OutboxEmail.state.in_(UNDER_WAY),
        state=State.CANCELLED,
        reason=reason,
        keep=keep,
        limit=limit,
    )


def erase_old(session: Session, before: datetime, limit: int) -> int:
    """Erase the bodies of up to ``limit`` emails that were written before then and are not under
    way any more.
    """
    at_rest = OutboxEmail.state.not_in(UNDER_WAY)
    old = (
        select(OutboxEmail.id)
        .where(OutboxEmail.created_at < before, at_rest, HAS_BODY)
        .limit(limit)
    )
    erased = session.scalars(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(old), at_rest)
        .values(**NO_BODIES)
        .returning(OutboxEmail.id)
        .execution_options(synchronize_session=False)
    ).all()
    delete_attachments(session, erased)
    return len(erased)


def _end_all(
    session: Session,
    *conditions: ColumnElement[bool],
    state: State,
    reason: str,
    keep: Collection[str],
    limit: int | None = None,
) -> int:
    """``end`` for many; the bodies of the kinds ``keep`` stay."""
    kept = OutboxEmail.kind.in_(keep)
    ended = session.execute(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(select(OutboxEmail.id).where(*conditions).limit(limit)))
        .where(*conditions)
        .values(
            state=state,
            reason=reason,
            next_attempt_at=None,
            leased_by=None,
            leased_until=None,
            html_body=case((kept, OutboxEmail.html_body), else_=None),
            text_body=case((kept, OutboxEmail.text_body), else_=None),
        )
        .returning(OutboxEmail.id, OutboxEmail.kind)
        .execution_options(synchronize_session=False)
    ).all()
    delete_attachments(session, [row.id for row in ended if row.kind not in keep])
    return len(ended)
