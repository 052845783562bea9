"""Endings: an email that is not sent, and bodies that are erased.

Where a function erases bodies, it deletes the attachments too.
"""

from collections import Counter
from collections.abc import Collection
from datetime import datetime
from functools import partial

from sqlalchemy import and_, case, func, literal_column, or_, select, update
from sqlalchemy.orm import Session, aliased
from sqlalchemy.sql.elements import ColumnElement

from app.mail.metrics import EMAILS
from app.mail.outbox.after_commit import call_after_commit
from app.mail.outbox.changes import BODIES_ERASED, delete_attachments, update_emails
from app.mail.outbox.claims import is_unleased
from app.mail.outbox.tables import HAS_BODY, IS_QUEUED, IS_UNCOMPOSED, UNDER_WAY, OutboxEmail, State

TOO_LATE = "its time to live ended before it could go out"
"""The reason of an expired email."""
_IS_COMPOSED_AGAIN = and_(OutboxEmail.state == State.FAILED, IS_UNCOMPOSED)
"""A start of a worker composes such an email again."""


def end(session: Session, email: OutboxEmail, state: State, reason: str, *, erase: bool) -> bool:
    """End a ``queued`` or ``unknown`` email in ``state``, because a guard or a person decided so.
    Returns whether it was in one of these states.
    """
    ended = update_emails(
        session,
        OutboxEmail.id == email.id,
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        state=state,
        reason=reason,
        next_attempt_at=None,
        leased_by=None,
        leased_until=None,
        **(BODIES_ERASED if erase else {}),
    )
    if ended:
        call_after_commit(session, EMAILS.labels(email.kind, state).inc)
        if erase and email.attachments:
            delete_attachments(session, [email.id])
    return bool(ended)


def supersede(session: Session, newer: OutboxEmail, *, erase: bool) -> int:
    """End every older email of the same kind with the same ``about`` that is queued or would be
    composed again, if ``newer`` goes out or is captured. Returns how many. The statement is the
    same if not, so that it takes as long.

    An older email that a worker is sending may return to the queue. The guard that calls
    ``superseded`` ends it then.
    """
    return _end_all(
        session,
        OutboxEmail.kind == newer.kind,
        OutboxEmail.about == newer.about,
        OutboxEmail.id < (newer.id if newer.state in (State.QUEUED, State.CAPTURED) else 0),
        or_(OutboxEmail.state == "queued", _IS_COMPOSED_AGAIN),
        state=State.SUPERSEDED,
        reason=superseded_by(newer.id),
        keep=() if erase else (newer.kind,),
    )


def superseded_by(newer: int) -> str:
    """The reason of an email that the email with the id ``newer`` superseded."""
    return f"email {newer} about the same thing is newer"


def superseded(session: Session, email_ids: Collection[int]) -> dict[int, int]:
    """Those of the emails that have a newer one of the same kind and ``about``, sent or under way,
    with the newest one's id.

    ``supersede`` misses an email that returns to the queue later, and two written at once.
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
    """Expire up to ``limit`` queued emails whose time to live has ended. Returns how many. The
    bodies of the kinds ``keep`` stay.

    The guard expires only emails that a worker claims, and while the relay rests no worker does.
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


def cancel_about(session: Session, about: str, reason: str) -> int:
    """Cancel every email with this ``about`` that waits or would be composed again, and erase its
    bodies. Returns how many. A worker that is sending one is not interrupted.
    """
    return _end_all(
        session,
        OutboxEmail.about == about,
        or_(OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]), _IS_COMPOSED_AGAIN),
        state=State.CANCELLED,
        reason=reason,
        keep=(),
    )


def cancel_all(session: Session, reason: str, *, keep: Collection[str], limit: int) -> int:
    """Cancel up to ``limit`` emails that may still go out, those included that would be composed
    again. Returns how many. The bodies of the kinds ``keep`` stay.

    Call this only when no worker runs on the database: it cancels emails in ``sending`` too.
    """
    return _end_all(
        session,
        or_(OutboxEmail.state.in_(UNDER_WAY), _IS_COMPOSED_AGAIN),
        state=State.CANCELLED,
        reason=reason,
        keep=keep,
        limit=limit,
    )


def cancel(session: Session, keys: Collection[str], reason: str) -> int:
    """Cancel the emails with these idempotency keys that are queued or would be composed again, and
    erase their bodies. Returns how many. An email that a worker is sending goes out.
    """
    return _end_all(
        session,
        OutboxEmail.key.in_(keys),
        or_(OutboxEmail.state == "queued", _IS_COMPOSED_AGAIN),
        state=State.CANCELLED,
        reason=reason,
        keep=(),
    )


def cancel_waiting(
    session: Session, ids: Collection[int], reason: str, *, keep: Collection[str]
) -> int:
    """Cancel those of the emails with these ids that are ``queued`` or ``unknown``. Returns how
    many. The bodies of the kinds ``keep`` stay.
    """
    return _end_all(
        session,
        OutboxEmail.id.in_(ids),
        OutboxEmail.state.in_([State.QUEUED, State.UNKNOWN]),
        state=State.CANCELLED,
        reason=reason,
        keep=keep,
    )


def erase_old(session: Session, before: datetime, limit: int) -> int:
    """Erase the bodies of up to ``limit`` emails that were written before that time and can no
    longer go out. Returns how many.
    """
    old = (OutboxEmail.created_at < before, OutboxEmail.state.not_in(UNDER_WAY), HAS_BODY)
    return _erase(session, *old, limit=limit)


def erase_uncomposed(
    session: Session, before: datetime, now: datetime, *, keep: Collection[str], limit: int
) -> int:
    """Erase what up to ``limit`` emails keep that could not be composed: those that were written
    before that time, and those that have expired, unless their kind is in ``keep``. Returns how
    many.
    """
    is_dead_secret = and_(OutboxEmail.expires_at <= now, OutboxEmail.kind.not_in(keep))
    is_old = OutboxEmail.created_at < before
    return _erase(session, IS_UNCOMPOSED, or_(is_old, is_dead_secret), limit=limit)


def erase_refused(session: Session, now: datetime, *, keep: Collection[str], limit: int) -> int:
    """Erase the bodies of up to ``limit`` failed emails whose time to live has ended, but for the
    kinds ``keep``. Returns how many.

    A refusal in unfamiliar words may be about us, so ``settlement_of`` leaves the body until then.
    """
    refused = (
        OutboxEmail.state == literal_column("'failed'"),
        OutboxEmail.expires_at <= now,
        HAS_BODY,
        OutboxEmail.kind.not_in(keep),
    )
    return _erase(session, *refused, limit=limit)


def _erase(session: Session, *conditions: ColumnElement[bool], limit: int) -> int:
    """Erase what up to ``limit`` emails that fulfil ``conditions`` hold. Returns how many."""
    ids = select(OutboxEmail.id).where(*conditions).limit(limit)
    erased = session.scalars(
        update(OutboxEmail)
        .where(OutboxEmail.id.in_(ids), *conditions)
        .values(**BODIES_ERASED)
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
    """End every email that fulfils ``conditions``. The bodies of the kinds ``keep`` stay."""
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
            made_from=case((kept, OutboxEmail.made_from), else_=None),
        )
        .returning(OutboxEmail.id, OutboxEmail.kind)
        .execution_options(synchronize_session=False)
    ).all()
    delete_attachments(session, [row.id for row in ended if row.kind not in keep])
    for kind, count in Counter(row.kind for row in ended).items():
        call_after_commit(session, partial(EMAILS.labels(kind, state).inc, count))
    return len(ended)
