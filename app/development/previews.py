"""The previews: every email there can be, from the samples of its kind and the templates as they
are just now.
"""

import re
from dataclasses import dataclass
from typing import Any

from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.development import email_page as reading
from app.development import frames as framing
from app.development.template_errors import Fault, fault_of
from app.i18n.languages import own_name
from app.mail.kinds import Kind
from app.mail.outbox.tables import OutboxEmail
from app.previews.lint import Finding
from app.previews.preview import Preview, compose_preview, findings_of, previews_of
from app.web.translation import _


@dataclass(frozen=True, slots=True)
class Entry:
    """A preview as the list shows it: its subject and how much the lint finds, or what is wrong
    with its template.
    """

    preview: Preview
    href: str
    subject: str = ""
    preheader: str = ""
    findings: int = 0
    fault: Fault | None = None


@view_config(route_name="previews", renderer="development/previews.jinja2", request_method="GET")
def previews(request: Request) -> dict[str, Any]:
    """Every kind, sample and language."""
    framing.allow_frames(request)
    kinds: dict[str, dict[str, list[Entry]]] = {}
    for kind in request.registry.email_kinds:
        samples = kinds.setdefault(kind.name, {})
        for preview in previews_of(request.registry, kind):
            samples.setdefault(preview.sample, []).append(_entry(request, preview))
    return {"kinds": kinds, "address": _address, "own_name": own_name}


@view_config(route_name="preview", renderer="development/email.jinja2", request_method="GET")
def preview(request: Request) -> dict[str, Any]:
    """One sample in one language: the first ones, where the query names none."""
    shown = _preview(request)
    of_kind = [
        (_("Sample"), {name: name for name in shown.kind.samples}, "sample", shown.sample),
        (
            _("Language"),
            {name: own_name(name) for name in request.registry.languages.names},
            "language",
            shown.language,
        ),
    ]
    values: dict[str, Any] = {
        "preview": shown,
        "what": [
            (label, reading.choices(request, field, words, current))
            for label, words, field, current in of_kind
        ],
    }
    try:
        email = compose_preview(request.registry, shown)
        findings = findings_of(request.registry, shown, email)
        values["findings"] = [(finding, _line(finding)) for finding in findings]
    except Exception as error:
        request.response.status_int = 500
        return values | {"fault": fault_of(error)}

    def address(part: str, **query: str) -> str:
        return _address(request, shown, part, **query)

    return values | reading.reading(request, email, address)


@view_config(route_name="preview_html", request_method="GET")
def preview_html(request: Request) -> Response:
    """The HTML body, for a frame."""
    return reading.framed(request, _composed(request))


@view_config(route_name="preview_source", request_method="GET")
def preview_source(request: Request) -> Response:
    """The message as a file, named as ``pillarbox preview`` names it."""
    return reading.download(_composed(request), _preview(request).name)


@view_config(route_name="preview_attachment", request_method="GET")
def preview_attachment(request: Request) -> Response:
    """One of the attachments as a file."""
    return reading.attachment(request, _composed(request))


def _line(finding: Finding) -> str | None:
    """The line of the HTML that a finding is about."""
    match = re.match(r"HTML, line ([0-9]+)", finding.place)
    return match[1] if match else None


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
        return Entry(preview, href, fault=fault_of(error))
    return Entry(preview, href, email.subject, reading.preheader(email), len(findings))


def _address(request: Request, preview: Preview, part: str, **query: str) -> str:
    query = {"sample": preview.sample, "language": preview.language, **query}
    path: str = request.route_path(f"preview_{part}", kind=preview.kind.name, _query=query)
    return path


def _preview(request: Request) -> Preview:
    kind: Kind | None = request.registry.email_kinds.get(request.matchdict["kind"])
    if kind is None:
        raise HTTPNotFound("There is no such kind of email.")
    sample = request.GET.get("sample", next(iter(kind.samples)))
    language = request.GET.get("language", request.registry.languages.names[0])
    if sample not in kind.samples or language not in request.registry.languages.names:
        raise HTTPNotFound("The kind has no such sample or language.")
    return Preview(kind, sample, language)


def _composed(request: Request) -> OutboxEmail:
    return compose_preview(request.registry, _preview(request))
