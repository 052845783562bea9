"""Keeps what staff did: one row for each action, in the transaction that carries it out."""

from collections.abc import Collection
from datetime import datetime

from pyramid.request import Request
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from app.database.base import insert_for
from app.mail.outbox.tables import OutboxEmail
from app.staff.models import StaffAction, StaffActionEmail

LONGEST_TARGET = 200


def record_action(
    request: Request, action: str, target: str, *, done: int, refused: int = 0, detail: str = ""
) -> StaffAction:
    """Keep an action of the signed-in member of staff. ``target`` is what it was done to, such as
    ``email:12``, and ``detail`` more about it; neither holds an address.
    """
    return write_action(
        request.dbsession,
        action,
        target,
        now=request.now,
        staff_id=request.account.id,
        done=done,
        refused=refused,
        detail=detail,
        request_id=request.id,
    )


def write_action(
    session: Session,
    action: str,
    target: str,
    *,
    now: datetime,
    staff_id: int | None,
    done: int,
    refused: int = 0,
    detail: str = "",
    request_id: str = "",
) -> StaffAction:
    """Keep an action in the transaction of ``session``. ``staff_id`` is None for a command."""
    row = StaffAction(
        at=now,
        staff_id=staff_id,
        action=action,
        target=target[:LONGEST_TARGET],
        done=done,
        refused=refused,
        detail=detail,
        request_id=request_id,
    )
    session.add(row)
    session.flush()
    return row


def record_emails(session: Session, action: StaffAction, ids: Collection[int]) -> None:
    """Keep which emails an action on several emails changed. An email is kept once."""
    if not ids:
        return
    # The database reads the ids from the emails' own rows, so one statement serves any number.
    changed = select(literal(action.id), OutboxEmail.id).where(OutboxEmail.id.in_(ids))
    session.execute(
        insert_for(session, StaffActionEmail)
        .from_select(["action_id", "email_id"], changed)
        .on_conflict_do_nothing()
    )
