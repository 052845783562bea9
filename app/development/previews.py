"""The preview pages: every sample of every kind of email, composed from the templates as they are
now, with the lint's findings.
"""

from dataclasses import dataclass
from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.development import email_page
from app.development.copies import CopyForm, send_copy
from app.development.template_problems import TemplateProblem, template_problem
from app.i18n.languages import own_name
from app.mail.kinds import Kind
from app.mail.outbox.tables import OutboxEmail
from app.previews.preview import Preview, compose_preview, findings_of, previews_of
from app.web.frames import allow_frames
from app.web.translation import _


@dataclass(frozen=True, slots=True)
class Entry:
    """A preview in the list: its subject and the number of findings, or its template's problem."""

    preview: Preview
    href: str
    subject: str = ""
    preheader: str = ""
    findings: int = 0
    problem: TemplateProblem | None = None


@view_config(route_name="previews", renderer="development/previews.jinja2", request_method="GET")
def previews(request: Request) -> dict[str, Any]:
    """Every kind, sample and language."""
    allow_frames(request)
    kinds: dict[str, dict[str, list[Entry]]] = {}
    for kind in request.registry.email_kinds:
        samples = kinds.setdefault(kind.name, {})
        for preview in previews_of(request.registry, kind):
            samples.setdefault(preview.sample, []).append(_entry(request, preview))
    return {"kinds": kinds, "part_path": _part_path, "own_name": own_name}


@view_config(route_name="preview", renderer="development/email.jinja2", request_method="GET")
def preview(request: Request) -> dict[str, Any]:
    """One sample in one language. A query that names none gets the first."""
    shown = _requested_preview(request)
    samples = {name: name for name in shown.kind.samples}
    languages = {name: own_name(name) for name in request.registry.languages.names}
    choices = email_page.query_choices
    values: dict[str, Any] = {
        "preview": shown,
        "preview_choices": [
            (_("Sample"), choices(request, "sample", samples, shown.sample)),
            (_("Language"), choices(request, "language", languages, shown.language)),
        ],
    }
    try:
        email = compose_preview(request.registry, shown)
        findings = findings_of(request.registry, shown, email)
    except Exception as error:
        request.response.status_int = 500
        return values | {"problem": template_problem(error, shown.kind)}

    def part_path(part: str, **query: str) -> str:
        return _part_path(request, shown, part, **query)

    if "spam" in request.GET:
        # SpamAssassin gives points for a Date far from today.
        email.created_at = request.now
    page = email_page.email_page(request, email, part_path, kind=shown.kind, findings=findings)
    return values | page


@view_config(route_name="preview", renderer="development/email.jinja2", request_method="POST")
def send_preview(request: Request) -> dict[str, Any] | Response:
    """Send the sample to a developer."""
    form = CopyForm(request)
    if not form.validate():
        return preview(request) | {"copy_form": form, "form": form}
    kind = _requested_preview(request).kind
    send_copy(request, kind, _compose_requested(request), form.to.data or "")
    return HTTPSeeOther(request.path_qs)


@view_config(route_name="preview_html", request_method="GET")
def preview_html(request: Request) -> Response:
    """The HTML body, for a frame."""
    return email_page.html_response(request, _compose_requested(request))


@view_config(route_name="preview_source", request_method="GET")
def preview_source(request: Request) -> Response:
    """The message as a file, named as ``pillarbox preview`` names it."""
    return email_page.eml_response(
        request, _compose_requested(request), _requested_preview(request).name
    )


@view_config(route_name="preview_attachment", request_method="GET")
def preview_attachment(request: Request) -> Response:
    """One of the attachments as a file."""
    return email_page.attachment_response(request, _compose_requested(request))


def _entry(request: Request, preview: Preview) -> Entry:
    href = request.route_path(
        "preview",
        kind=preview.kind.name,
        _query={"sample": preview.sample, "language": preview.language},
    )
    try:
        email = compose_preview(request.registry, preview)
        findings = findings_of(request.registry, preview, email)
    except Exception as error:
        return Entry(preview, href, problem=template_problem(error, preview.kind))
    return Entry(preview, href, email.subject, email_page.preheader(email), len(findings))


def _part_path(request: Request, preview: Preview, part: str, **query: str) -> str:
    query = {"sample": preview.sample, "language": preview.language, **query}
    return str(request.route_path(f"preview_{part}", kind=preview.kind.name, _query=query))


def _requested_preview(request: Request) -> Preview:
    kind: Kind | None = request.registry.email_kinds.get(request.matchdict["kind"])
    if kind is None:
        raise HTTPNotFound("There is no such kind of email.")
    sample = request.GET.get("sample", next(iter(kind.samples)))
    language = request.GET.get("language", request.registry.languages.names[0])
    if sample not in kind.samples or language not in request.registry.languages.names:
        raise HTTPNotFound("The kind has no such sample or language.")
    return Preview(kind, sample, language)


def _compose_requested(request: Request) -> OutboxEmail:
    return compose_preview(request.registry, _requested_preview(request))
