"""The development mailbox: every email in the outbox, for developers, and as JSON for tests."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import Select, delete, select

from app.development import email_page
from app.mail.outbox.tables import UNDER_WAY, OutboxEmail, State
from app.web.translation import _

MOST_LISTED = 200
"""The number of emails that the list shows, the newest first."""
LONGEST_REFRESH = 600
"""Seconds."""
KEPT = (*UNDER_WAY, State.SENT, State.BOUNCED)
"""The states that clearing the mailbox keeps: waiting emails, and those that really went out."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the list is filtered by: a part of the address, a kind and a part of the subject."""

    to: str = ""
    kind: str = ""
    subject: str = ""

    @classmethod
    def from_request(cls, request: Request) -> Self:
        """The search in the request's query."""
        return cls(**{name: request.GET.get(name, "").strip() for name in cls.__slots__})

    @property
    def query(self) -> dict[str, str]:
        """The search as a query, without empty fields."""
        return {name: value for name, value in asdict(self).items() if value}

    def statement(self) -> Select[OutboxEmail]:
        """The SELECT of the emails that it finds."""
        found = select(OutboxEmail)
        if self.to:
            found = found.where(OutboxEmail.recipient.icontains(self.to, autoescape=True))
        if self.kind:
            found = found.where(OutboxEmail.kind == self.kind)
        if self.subject:
            found = found.where(OutboxEmail.subject.icontains(self.subject, autoescape=True))
        return found


@view_config(route_name="mailbox", renderer="development/mailbox.jinja2", request_method="GET")
def mailbox(request: Request) -> dict[str, Any]:
    """The list. With ``?refresh=5`` the page reloads every 5 seconds."""
    search = Search.from_request(request)
    seconds = request.GET.get("refresh", "")
    refresh = int(seconds) if seconds.isdecimal() and len(seconds) < 4 else 0
    emails = _newest(request, search)
    # The outbox may hold emails of kinds that the code no longer has. The filter offers them.
    kinds = {email.kind for email in emails} | {kind.name for kind in request.registry.email_kinds}
    return {
        "emails": emails,
        "search": search,
        "kinds": ["", *sorted(kinds | {search.kind} - {""})],
        "refresh": min(refresh, LONGEST_REFRESH),
        "preheader": email_page.preheader,
    }


@view_config(route_name="mailbox", request_method="POST")
def clear(request: Request) -> HTTPSeeOther:
    """Delete the emails that neither wait nor went out. Their keys can be used again."""
    request.dbsession.execute(delete(OutboxEmail).where(OutboxEmail.state.not_in(KEPT)))
    request.visitor.tell(request.localizer.translate(_("The mailbox has been cleared.")))
    return HTTPSeeOther(request.route_path("mailbox"))


@view_config(route_name="mailbox_json", renderer="json", request_method="GET")
def mailbox_json(request: Request) -> list[dict[str, Any]]:
    """The list as JSON, the newest first, with the same search."""
    return [_as_json(email) for email in _newest(request, Search.from_request(request))]


@view_config(route_name="mailbox_email", renderer="development/email.jinja2", request_method="GET")
def mailbox_email(request: Request) -> dict[str, Any]:
    """One email, with links to the next newer and older ones that the query's search finds."""
    email = _requested_email(request)
    search = Search.from_request(request)
    found = search.statement().with_only_columns(OutboxEmail.id).limit(1)
    newer = found.where(OutboxEmail.id > email.id).order_by(OutboxEmail.id)
    older = found.where(OutboxEmail.id < email.id).order_by(OutboxEmail.id.desc())

    def part_path(part: str, **query: str) -> str:
        return str(request.route_path(f"mailbox_{part}", id=email.id, _query=query))

    def neighbour(id: int | None) -> str | None:
        if id is None:
            return None
        return str(request.route_path("mailbox_email", id=id, _query=dict(request.GET)))

    return email_page.email_page(request, email, part_path) | {
        "search": search,
        "is_known": request.registry.email_kinds.get(email.kind) is not None,
        "newer": neighbour(request.dbsession.scalar(newer)),
        "older": neighbour(request.dbsession.scalar(older)),
    }


@view_config(route_name="mailbox_html", request_method="GET")
def mailbox_html(request: Request) -> Response:
    """The HTML body, for a frame."""
    return email_page.html_response(request, _requested_email(request))


@view_config(route_name="mailbox_source", request_method="GET")
def mailbox_source(request: Request) -> Response:
    """The message as a file."""
    email = _requested_email(request)
    return email_page.eml_response(email, f"{email.kind}-{email.id}")


@view_config(route_name="mailbox_attachment", request_method="GET")
def mailbox_attachment(request: Request) -> Response:
    """One of the attachments as a file."""
    return email_page.attachment_response(request, _requested_email(request))


def _newest(request: Request, search: Search) -> list[OutboxEmail]:
    newest = search.statement().order_by(OutboxEmail.id.desc()).limit(MOST_LISTED)
    return list(request.dbsession.scalars(newest))


def _requested_email(request: Request) -> OutboxEmail:
    number = request.matchdict["id"]
    # A number with more digits than any id would make the database raise an error.
    is_id = len(number) < 10
    email: OutboxEmail | None = request.dbsession.get(OutboxEmail, int(number)) if is_id else None
    if email is None:
        raise HTTPNotFound("There is no such email.")
    return email


def _as_json(email: OutboxEmail) -> dict[str, Any]:
    return {
        "id": email.id,
        "kind": email.kind,
        "from": email.sender,
        "to": email.recipient,
        "subject": email.subject,
        "state": email.state,
        "created_at": email.created_at.isoformat(),
        "text": email.text_body,
        "html": email.html_body,
        "headers": email_page.headers(email_page.message_source(email)),
        "links": email_page.links(email),
    }
