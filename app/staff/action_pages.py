"""``/staff/actions``: what staff and commands did to emails and addresses, the newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import select

from app.accounts.models import Account
from app.accounts.permissions import STAFF
from app.mail.outbox.search import PAGE as PAGE_LENGTH
from app.staff.email_filter import read_id
from app.staff.many_actions import Refusal, command_of, refusals_of
from app.staff.models import StaffAction
from app.staff.refusal_words import WORDS
from app.web.translation import _

ACTIONS = {
    "resend": _("Send again"),
    "release": _("Release"),
    "cancel": _("Cancel"),
    "copy": _("Send a copy to oneself"),
    "lift": _("Lift a suppression"),
    "erase": _("Erase what is kept about a recipient"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """An action in the list. ``who`` is an address or a command, None for a deleted account.
    ``email_id`` is the email it was done to, if it was done to one.
    """

    action: StaffAction
    words: str
    who: str | None
    email_id: int | None
    new_email_id: int | None
    """The email that it wrote, such as a copy."""
    detail: str
    refusals: Sequence[Refusal]


@view_config(
    route_name="staff_actions",
    request_method="GET",
    permission=STAFF,
    renderer="staff/actions.jinja2",
)
def show(request: Request) -> Any:
    """Show the newest actions, or those with an id below ``?before=``."""
    rows = select(StaffAction, Account.address).outerjoin(
        Account, Account.id == StaffAction.staff_id
    )
    if "before" in request.GET:
        before = read_id(request.GET["before"])
        if before is None:
            raise HTTPNotFound()
        rows = rows.where(StaffAction.id < before)
    found = request.dbsession.execute(
        rows.order_by(StaffAction.id.desc()).limit(PAGE_LENGTH + 1)
    ).all()
    lines = [_line(action, address) for action, address in found[:PAGE_LENGTH]]
    return {
        "lines": lines,
        "older": lines[-1].action.id if len(found) > PAGE_LENGTH else None,
        "is_first": "before" not in request.GET,
        "words": WORDS,
    }


def _line(action: StaffAction, address: str | None) -> Line:
    command, refusals = command_of(action), list(refusals_of(action))
    new_email_id = _email_id(action.detail)
    is_told = refusals or new_email_id or action.detail == command
    return Line(
        action,
        words=ACTIONS.get(action.action, action.action),
        who=address or command,
        email_id=_email_id(action.target),
        new_email_id=new_email_id,
        detail="" if is_told else action.detail,
        refusals=refusals,
    )


def _email_id(text: str) -> int | None:
    """The id in ``email:12``."""
    what, _colon, id = text.partition(":")
    return read_id(id) if what == "email" else None
