"""Resend, release or cancel every email that the filter of the log finds.

The first page shows how many there are. Its button does as much as fits into ``SECONDS``, because a
request that takes long holds a thread of the server. The next page tells what was done, and goes on
with the rest. So no work is left to a process that may not run, and whoever closes the browser
stops it.
"""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyramid.httpexceptions import HTTPBadRequest, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy.orm import Session

from app.accounts.permissions import STAFF_RECENT
from app.database import short_transaction
from app.mail.outbox.batches import Act
from app.mail.outbox.copies import ACCEPTED
from app.mail.outbox.many import ManyDecisions, look
from app.mail.outbox.search import Filter
from app.mail.outbox.tables import State
from app.staff.email_filter import LARGEST_ID, WITHIN, Query, read_id
from app.staff.email_words import STATES
from app.staff.many_actions import KeptAction, refusals_of, target_of
from app.staff.models import StaffAction
from app.staff.refusal_words import WORDS
from app.web.translation import _

PAGE = "staff/many_emails.jinja2"
SECONDS = 5.0
"""How long one request works, and at most one batch longer."""


@dataclass(frozen=True, slots=True)
class Confirmed:
    """What was confirmed, as the form and the URL of the next page keep it: no email above the id
    ``newest``, and the filter's "last hour" as it was at ``at``. ``action`` is the id of the row
    that keeps what was done so far.
    """

    newest: int
    at: datetime
    action: int | None

    @classmethod
    def read(cls, fields: Any) -> "Confirmed | None":
        """From a form's or a URL's fields. None when something is missing or cannot be read."""
        newest, at = read_id(fields.get("newest", "")), read_id(fields.get("at", ""))
        if newest is None or at is None:
            return None
        # PostgreSQL's ids end here, and the search asks for those below the next one.
        newest = min(newest, LARGEST_ID - 1)
        return cls(newest, datetime.fromtimestamp(at, UTC), read_id(fields.get("action", "")))


@view_config(
    route_name="staff_many_emails", request_method="GET", permission=STAFF_RECENT, renderer=PAGE
)
def confirm(request: Request) -> Any:
    """Show how many emails it is about, and what was done so far."""
    act, query = _act_and_query(request)
    session = request.dbsession
    confirmed = Confirmed.read(request.GET)
    at = request.now if confirmed is None else confirmed.at
    filter = query.filter(session, at)
    found = look(session, filter, newest=None if confirmed is None else confirmed.newest)
    row = None if confirmed is None else _action(request, session, act, confirmed.action)
    return {
        "act": act,
        "query": query.fields(),
        "filter": _in_words(session, query, filter),
        "found": found,
        "states": [(STATES[state], found.states[state]) for state in State if found.states[state]],
        "again": act is Act.RESEND and sum(found.states[state] for state in ACCEPTED),
        "at": int(at.timestamp()),
        "is_begun": confirmed is not None,
        "row": row,
        "refusals": [] if row is None else list(refusals_of(row)),
        "words": WORDS,
    }


@view_config(route_name="staff_many_emails", request_method="POST", permission=STAFF_RECENT)
def decide(request: Request) -> Any:
    """Decide about as many emails as fit into ``SECONDS``, and show what was done."""
    act, query = _act_and_query(request)
    confirmed = Confirmed.read(request.POST)
    if confirmed is None:
        raise HTTPBadRequest()
    registry = request.registry
    # The batches have transactions of their own, so the request's must not begin before them.
    with short_transaction(registry, write=False) as session:
        filter = query.filter(session, confirmed.at)
        row = _action(request, session, act, confirmed.action)
    kept = KeptAction(
        act, target_of(filter), registry.clock, staff_id=request.account.id, request_id=request.id
    )
    if row is not None:
        kept.go_on(row)
    by = f"by our staff, account {request.account.id}"
    begun, newest = time.monotonic(), 0
    for batch in ManyDecisions.of(registry).run(
        act, filter, newest=confirmed.newest, by=by, note=kept.note, request_id=request.id
    ):
        if time.monotonic() - begun >= SECONDS:
            newest = batch.ids[0] - 1
            break
    fields = query.fields() | {"newest": newest, "at": int(confirmed.at.timestamp())}
    if kept.id is not None:
        fields["action"] = kept.id
    return HTTPSeeOther(request.route_path("staff_many_emails", act=act, _query=fields))


def _act_and_query(request: Request) -> tuple[Act, Query]:
    """What the URL says. Raises ``HTTPSeeOther`` to the log when it has no filter: nobody means
    all emails that there are.
    """
    query = Query.from_mapping(request.GET)
    if not query.fields():
        raise HTTPSeeOther(request.route_path("staff_emails"))
    return Act(request.matchdict["act"]), query


def _action(request: Request, session: Session, act: Act, id: int | None) -> StaffAction | None:
    """The row of what this member of staff did so far."""
    row: StaffAction | None = None if id is None else session.get(StaffAction, id)
    if row is None or (row.staff_id, row.action) != (request.account.id, act):
        return None
    return row


def _in_words(session: Session, query: Query, filter: Filter) -> list[tuple[str, Any]]:
    """The filter as labels and values. Staff may see the address."""
    words: list[tuple[str, Any]] = []
    if filter.state is not None:
        words.append((_("Status"), STATES[filter.state]))
    if filter.kind is not None:
        words.append((_("Kind"), filter.kind))
    if query.within:
        words.append((_("Written"), WITHIN[query.within][0]))
    if filter.reason is not None:
        words.append((_("Reason begins with"), filter.reason))
    if filter.recipient is not None:
        words.append((_("Recipient"), filter.recipient))
    if filter.about is not None:
        words.append((_("About"), query.found_by(session) or filter.about))
    return words
