"""The development mailbox: every email in the outbox, for developers, and as JSON for tests."""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import delete, func, select

from app.development import email_page
from app.development.copies import CopyForm, send_copy
from app.development.read_marks import ReadMarks
from app.development.search import ListPage, Search, count_newer, list_page, read_id
from app.development.template_problems import problem_of_email
from app.mail.addresses import BadAddress
from app.mail.kinds import Kind
from app.mail.outbox.tables import UNDER_WAY, OutboxEmail, State
from app.previews.lint import Finding
from app.previews.written import findings_of_written
from app.web.headers import CONTENT_SECURITY_POLICY
from app.web.translation import _, tell

PAGE_SIZE = 50
JSON_SIZE = 200
"""The most emails of one page of the list, and of its JSON."""
LONGEST_REFRESH = 600
"""Seconds."""
KEPT = (*UNDER_WAY, State.SENT, State.BOUNCED)
"""The states that deleting and clearing keep: waiting emails, and those that really went out."""


@view_config(route_name="mailbox", renderer="development/mailbox.jinja2", request_method="GET")
def mailbox(request: Request) -> dict[str, Any]:
    """One page of the list. With ``?refresh=5`` the browser reloads it every 5 seconds; otherwise a
    script counts the emails that have come since.
    """
    search = Search.from_query(request.GET)
    page = _list_page(request, search, PAGE_SIZE)
    seconds = read_id(request.GET.get("refresh", "")) or 0
    refresh = 0 if seconds > 999 else min(seconds, LONGEST_REFRESH)
    if refresh:
        request.response.headers["Refresh"] = str(refresh)
    policy = f"{CONTENT_SECURITY_POLICY}; connect-src 'self'"
    request.response.headers["Content-Security-Policy"] = policy
    newest = request.dbsession.scalar(select(func.max(OutboxEmail.id))) or 0
    # The outbox may hold emails of kinds that the code no longer has. The filter offers them.
    kinds = {email.kind for email in page.emails}
    kinds |= {kind.name for kind in request.registry.email_kinds}
    return {
        "page": page,
        "emails": page.emails,
        "read": ReadMarks.from_request(request),
        "newest": newest,
        "search": search,
        "kinds": ["", *sorted(kinds | {search.kind} - {""})],
        "refresh": refresh,
        "preheader": email_page.preheader,
    }


@view_config(route_name="mailbox_new", renderer="json", request_method="GET")
def count_new(request: Request) -> dict[str, int]:
    """The number of emails that the search finds and that are newer than the id ``after``."""
    after = read_id(request.GET.get("after", "")) or 0
    return {"count": count_newer(request.dbsession, Search.from_query(request.GET), after)}


@view_config(route_name="mailbox", request_method="POST")
def clear(request: Request) -> HTTPSeeOther:
    """Delete the emails that neither wait nor went out. Their keys can be used again."""
    request.dbsession.execute(delete(OutboxEmail).where(OutboxEmail.state.not_in(KEPT)))
    tell(request, _("The mailbox has been cleared."))
    return HTTPSeeOther(request.route_path("mailbox"))


@view_config(route_name="mailbox", request_method="POST", request_param="action=read")
def mark_all_as_read(request: Request) -> HTTPSeeOther:
    """Mark every email that the developer's list could show."""
    response = HTTPSeeOther(
        request.route_path("mailbox", _query=Search.from_query(request.GET).query)
    )
    marks = ReadMarks.from_request(request)
    marks.add_all(read_id(request.POST.get("newest", "")) or 0)
    marks.send(request, response)
    return response


@view_config(route_name="mailbox_json", renderer="json", request_method="GET")
def mailbox_json(request: Request) -> list[dict[str, Any]]:
    """The list as JSON, the newest first, with the same search. Where older emails follow, the
    header ``Link`` names them (RFC 8288).
    """
    page = _list_page(request, Search.from_query(request.GET), JSON_SIZE)
    if page.older is not None:
        address = request.route_path("mailbox_json", _query=page.older)
        request.response.headers["Link"] = f'<{address}>; rel="next"'
    return [_as_json(request.registry, email) for email in page.emails]


@view_config(route_name="mailbox_email", renderer="development/email.jinja2", request_method="GET")
def mailbox_email(request: Request) -> dict[str, Any]:
    """One email, with links to the next newer and older ones that the query's search finds."""
    email = _requested_email(request)
    search = Search.from_query(request.GET)
    found = search.statement().with_only_columns(OutboxEmail.id).limit(1)
    newer = found.where(OutboxEmail.id > email.id).order_by(OutboxEmail.id)
    older = found.where(OutboxEmail.id < email.id).order_by(OutboxEmail.id.desc())
    kind: Kind | None = request.registry.email_kinds.get(email.kind)
    marks = ReadMarks.from_request(request)
    if request.method == "GET" and email.id not in marks:
        marks.add(email.id)
        marks.send(request, request.response)

    def part_path(part: str, **query: str) -> str:
        return str(request.route_path(f"mailbox_{part}", id=email.id, _query=query))

    def neighbour(id: int | None) -> str | None:
        if id is None:
            return None
        return str(request.route_path("mailbox_email", id=id, _query=dict(request.GET)))

    findings = _findings(request, kind, email)
    return email_page.email_page(request, email, part_path, kind=kind, findings=findings) | {
        "search": search,
        "problem": problem_of_email(request, email),
        "is_known": kind is not None,
        "can_be_deleted": email.state not in KEPT,
        "newer": neighbour(request.dbsession.scalar(newer)),
        "older": neighbour(request.dbsession.scalar(older)),
    }


@view_config(route_name="mailbox_email", request_method="POST", request_param="action=delete")
def delete_email(request: Request) -> HTTPSeeOther:
    """Delete one email, unless it waits or went out. Its key can be used again."""
    email = _requested_email(request)
    deleted = request.dbsession.execute(
        delete(OutboxEmail).where(OutboxEmail.id == email.id, OutboxEmail.state.not_in(KEPT))
    )
    words = (
        _("The email has been deleted.")
        if deleted.rowcount
        else _("The email was not deleted, because it is waiting to be sent or has been sent.")
    )
    tell(request, words)
    query = Search.from_query(request.GET).query
    return HTTPSeeOther(request.route_path("mailbox", _query=query))


@view_config(route_name="mailbox_email", renderer="development/email.jinja2", request_method="POST")
def send_email_copy(request: Request) -> dict[str, Any] | Response:
    """Send a copy of the email to a developer."""
    email = _requested_email(request)
    kind: Kind | None = request.registry.email_kinds.get(email.kind)
    if kind is None or not email.has_body:
        raise HTTPNotFound("The email has no bodies, or its kind no longer exists.")
    form = CopyForm(request)
    if not form.validate():
        return mailbox_email(request) | {"copy_form": form, "form": form}
    send_copy(request, kind, email, form.to.data or "")
    return HTTPSeeOther(request.path_qs)


@view_config(route_name="mailbox_html", request_method="GET")
def mailbox_html(request: Request) -> Response:
    """The HTML body, for a frame."""
    return email_page.html_response(request, _requested_email(request))


@view_config(route_name="mailbox_source", request_method="GET")
def mailbox_source(request: Request) -> Response:
    """The message as a file."""
    email = _requested_email(request)
    return email_page.eml_response(request, email, f"{email.kind}-{email.id}")


@view_config(route_name="mailbox_attachment", request_method="GET")
def mailbox_attachment(request: Request) -> Response:
    """One of the attachments as a file."""
    return email_page.attachment_response(request, _requested_email(request))


def _list_page(request: Request, search: Search, size: int) -> ListPage:
    """The page of the list that the query's ``before`` or ``after`` names."""
    before, after = (read_id(request.GET.get(name, "")) for name in ("before", "after"))
    return list_page(request.dbsession, search, size, before=before, after=after)


def _findings(request: Request, kind: Kind | None, email: OutboxEmail) -> list[Finding] | None:
    if kind is None or not email.has_body:
        return None
    try:
        return findings_of_written(request.registry, kind, email, email_page.links(email))
    except BadAddress:
        return None


def _requested_email(request: Request) -> OutboxEmail:
    id = read_id(request.matchdict["id"])
    email: OutboxEmail | None = request.dbsession.get(OutboxEmail, id) if id is not None else None
    if email is None:
        raise HTTPNotFound("There is no such email.")
    return email


def _as_json(registry: Registry, email: OutboxEmail) -> dict[str, Any]:
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
        "headers": email_page.headers(email_page.message_source(registry, email)),
        "links": email_page.links(email),
    }
