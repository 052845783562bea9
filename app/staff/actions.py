"""Keeps what staff did: one row for each action, in the transaction that carries it out."""

from datetime import datetime

from pyramid.request import Request
from sqlalchemy.orm import Session

from app.staff.models import StaffAction

LONGEST_TARGET = 200


def record_action(
    request: Request, action: str, target: str, *, done: int, refused: int = 0, detail: str = ""
) -> None:
    """Keep an action of the signed-in member of staff. ``target`` is what it was done to, such as
    ``email:12``, and ``detail`` more about it; neither holds an address.
    """
    write_action(
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
