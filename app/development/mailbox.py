"""The development mailbox: every email of the outbox as its recipient, a developer and a test would
want to see it.
"""

from dataclasses import asdict, dataclass
from typing import Any, Self

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import Select, delete, select

from app.development import email_page as reading
from app.mail.outbox.tables import UNDER_WAY, OutboxEmail, State
from app.web.translation import _

SHOWN = 200
"""How many emails the list shows, the newest first."""
SLOWEST_REFRESH = 600
"""Seconds."""
KEPT = (*UNDER_WAY, State.SENT, State.BOUNCED)
"""What clearing the mailbox leaves: what waits, and what really went out."""


@dataclass(frozen=True, slots=True)
class Search:
    """What the list is narrowed down to: pieces of the address and of the subject, and a kind."""

    to: str = ""
    kind: str = ""
    subject: str = ""

    @classmethod
    def of(cls, request: Request) -> Self:
        """What the request's query asks for."""
        return cls(**{name: request.GET.get(name, "").strip() for name in cls.__slots__})

    @property
    def query(self) -> dict[str, str]:
        """The same as a query, without what is empty."""
        return {name: value for name, value in asdict(self).items() if value}

    def of_emails(self) -> Select[OutboxEmail]:
        """The emails it finds."""
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
    """The list. ``?refresh=5`` loads it anew every 5 seconds."""
    search = Search.of(request)
    seconds = request.GET.get("refresh", "")
    refresh = int(seconds) if seconds.isdecimal() and len(seconds) < 4 else 0
    emails = _newest(request, search)
    # The outbox may hold kinds that the application no longer has.
    kinds = {email.kind for email in emails} | {kind.name for kind in request.registry.email_kinds}
    return {
        "emails": emails,
        "search": search,
        "kinds": ["", *sorted(kinds | {search.kind} - {""})],
        "refresh": min(refresh, SLOWEST_REFRESH),
        "preheader": reading.preheader,
    }


@view_config(route_name="mailbox", request_method="POST")
def clear(request: Request) -> HTTPSeeOther:
    """Delete every email that neither waits nor went out. Their business keys are free again."""
    request.dbsession.execute(delete(OutboxEmail).where(OutboxEmail.state.not_in(KEPT)))
    request.visitor.tell(request.localizer.translate(_("The mailbox has been cleared.")))
    return HTTPSeeOther(request.route_path("mailbox"))


@view_config(route_name="mailbox_json", renderer="json", request_method="GET")
def mailbox_json(request: Request) -> list[dict[str, Any]]:
    """The list for programs, newest first. It takes the same search."""
    return [_as_json(email) for email in _newest(request, Search.of(request))]


@view_config(route_name="mailbox_email", renderer="development/email.jinja2", request_method="GET")
def mailbox_email(request: Request) -> dict[str, Any]:
    """One email. The query's search goes on to the newer and the older one."""
    email = _email(request)
    search = Search.of(request)
    found = search.of_emails().with_only_columns(OutboxEmail.id).limit(1)
    newer = found.where(OutboxEmail.id > email.id).order_by(OutboxEmail.id)
    older = found.where(OutboxEmail.id < email.id).order_by(OutboxEmail.id.desc())

    def address(part: str, **query: str) -> str:
        path: str = request.route_path(f"mailbox_{part}", id=email.id, _query=query)
        return path

    def neighbour(id: int | None) -> str | None:
        if id is None:
            return None
        path: str = request.route_path("mailbox_email", id=id, _query=dict(request.GET))
        return path

    return reading.reading(request, email, address) | {
        "search": search,
        "is_known": request.registry.email_kinds.get(email.kind) is not None,
        "newer": neighbour(request.dbsession.scalar(newer)),
        "older": neighbour(request.dbsession.scalar(older)),
    }


@view_config(route_name="mailbox_html", request_method="GET")
def mailbox_html(request: Request) -> Response:
    """The HTML body, for a frame."""
    return reading.framed(request, _email(request))


@view_config(route_name="mailbox_source", request_method="GET")
def mailbox_source(request: Request) -> Response:
    """The message as a file."""
    email = _email(request)
    return reading.download(email, f"{email.kind}-{email.id}")


@view_config(route_name="mailbox_attachment", request_method="GET")
def mailbox_attachment(request: Request) -> Response:
    """One of the attachments as a file."""
    return reading.attachment(request, _email(request))


def _newest(request: Request, search: Search) -> list[OutboxEmail]:
    newest = search.of_emails().order_by(OutboxEmail.id.desc()).limit(SHOWN)
    return list(request.dbsession.scalars(newest))


def _email(request: Request) -> OutboxEmail:
    number = request.matchdict["id"]
    # More digits than any id has would be an error of the database.
    email = request.dbsession.get(OutboxEmail, int(number)) if len(number) < 10 else None
    if email is None:
        raise HTTPNotFound("There is no such email.")
    found: OutboxEmail = email
    return found


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
        "headers": reading.headers(reading.source_of(email)),
        "links": reading.links(email),
    }
