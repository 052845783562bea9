"""The log of emails: what was written, to whom, and what became of it. Staff filter and search."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import select
from sqlalchemy.orm import Session, lazyload, load_only

from app.accounts.permissions import STAFF
from app.mail.outbox.last_words import last_words
from app.mail.outbox.search import find_page
from app.mail.outbox.tables import ERASED, OutboxEmail
from app.staff.email_filter import FilterForm, Query, read_id
from app.staff.email_words import state_words

LIST = "staff/emails.jinja2"
_SHOWN = (
    OutboxEmail.kind,
    OutboxEmail.recipient,
    OutboxEmail.state,
    OutboxEmail.reason,
    OutboxEmail.created_at,
    OutboxEmail.heard,
    OutboxEmail.delivered_at,
)


@dataclass(frozen=True, slots=True)
class Line:
    """An email in the list. ``words`` is its state as a translation string, and ``last_words`` what
    the relay, the recipient's server or we ourselves said last.
    """

    email: OutboxEmail
    is_erased: bool
    words: str
    last_words: str


@view_config(route_name="staff_emails", request_method="GET", permission=STAFF, renderer=LIST)
def show(request: Request) -> Any:
    """Show the newest emails that the query finds, or those with an id below ``?before=``."""
    query = Query.from_mapping(request.GET)
    before = None
    if "before" in request.GET:
        before = read_id(request.GET["before"])
        if before is None:
            raise HTTPNotFound()
    page = find_page(request.dbsession, query.filter(request.dbsession, request.now), before=before)
    return {
        "form": FilterForm(request, query),
        "query": query.fields(),
        "lines": _lines(request.dbsession, page.ids),
        "older": page.older,
        "is_first": before is None,
    }


@view_config(route_name="staff_emails", request_method="POST", permission=STAFF, renderer=LIST)
def find(request: Request) -> Any:
    """Redirect to the list with the filter, or to the one email that was searched for."""
    form = FilterForm(request, Query.from_mapping(request.GET))
    if not form.validate():
        return {"form": form, "query": {}, "lines": None, "older": None, "is_first": True}
    if form.email_id is not None:
        return HTTPSeeOther(request.route_path("staff_email", id=form.email_id))
    return HTTPSeeOther(request.route_path("staff_emails", _query=form.query.fields()))


def _lines(session: Session, ids: Sequence[int]) -> list[Line]:
    if not ids:
        return []
    emails = session.scalars(
        select(OutboxEmail)
        .where(OutboxEmail.id.in_(ids))
        .order_by(OutboxEmail.id.desc())
        # Bodies and attachments can be long.
        .options(load_only(*_SHOWN), lazyload(OutboxEmail.attachments))
    ).all()
    words = last_words(session, emails)
    return [
        Line(
            email,
            is_erased=email.recipient == ERASED,
            words=state_words(email),
            last_words=words[email.id],
        )
        for email in emails
    ]
