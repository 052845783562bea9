"""The page of one email: its story, and what staff can do about it."""

from collections.abc import Callable
from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.accounts.permissions import STAFF, STAFF_RECENT
from app.i18n.languages import own_name
from app.mail.copying import copy_for, copy_key
from app.mail.inline_images import with_data_urls
from app.mail.kinds import Kind
from app.mail.outbox import decisions
from app.mail.outbox.copies import newest_copy
from app.mail.outbox.decisions import Refused
from app.mail.outbox.tables import ERASED, OutboxEmail
from app.mail.smtp.reply_text import without_addresses
from app.staff.actions import record_action
from app.staff.email_filter import order_number, read_id
from app.staff.email_story import is_shown, possible_actions, steps, target_of, what_is_next
from app.staff.email_words import PAST, state_words
from app.web.frames import FRAME_POLICY, allow_frames
from app.web.translation import _, tell

Decision = Callable[[OutboxEmail, Kind | None], OutboxEmail]
"""Changes an email, and returns the one whose page comes next. May raise ``Refused``."""

REFUSED = _("Nothing was changed. ${reason}")
COPIED = _("The copy is email ${id}: ${state}.")
NO_COPY = _("This email cannot be copied.")


@view_config(
    route_name="staff_email",
    request_method="GET",
    permission=STAFF,
    renderer="staff/email.jinja2",
)
def show(request: Request) -> Any:
    """Show the story of the email, its facts, and its content if that holds no secret."""
    email = _email_of(request)
    kind = _kind_of(request, email)
    allow_frames(request)
    what, _colon, about_id = email.about.partition(":")
    return {
        "email": email,
        "is_erased": email.recipient == ERASED,
        "words": state_words(email),
        "steps": steps(request.dbsession, email),
        "next": what_is_next(request, email),
        "buttons": possible_actions(email, kind),
        "is_secret": kind is None or kind.carries_secret,
        "is_shown": is_shown(email, kind),
        "order_number": order_number(request.dbsession, email.about),
        "account_id": read_id(about_id) if what == "account" else None,
        "language": own_name(email.locale),
        "newest_copy": newest_copy(request.dbsession, email.key),
        "tag": request.registry.email_tags.of(email.id),
    }


@view_config(route_name="staff_email_html", request_method="GET", permission=STAFF)
def show_html(request: Request) -> Response:
    """The HTML of an email without a secret, for the frame."""
    email = _email_of(request)
    if email.html_body is None or not is_shown(email, _kind_of(request, email)):
        raise HTTPNotFound()
    html = with_data_urls(email.html_body, email.attachments)
    response = Response(html.replace("<head>", '<head><base target="_blank">', 1))
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    return response


@view_config(
    route_name="staff_email",
    request_method="POST",
    request_param="act=resend",
    permission=STAFF_RECENT,
)
def resend(request: Request) -> Any:
    """Send the email again. One that was sent becomes a new email, to whose page this leads."""
    registry = request.registry

    def send_again(email: OutboxEmail, kind: Kind | None) -> OutboxEmail:
        composer = registry.email_composer
        seen = read_id(request.POST.get("seen", ""))
        return decisions.resend(
            request.dbsession, email, kind, request.now, composer, seen, request.id
        )

    return _decide(request, "resend", send_again)


@view_config(
    route_name="staff_email",
    request_method="POST",
    request_param="act=release",
    permission=STAFF_RECENT,
)
def release(request: Request) -> Any:
    """Send an email that is held."""

    def let_go(email: OutboxEmail, kind: Kind | None) -> OutboxEmail:
        return decisions.release(request.dbsession, email, kind, request.now)

    return _decide(request, "release", let_go)


@view_config(
    route_name="staff_email",
    request_method="POST",
    request_param="act=cancel",
    permission=STAFF_RECENT,
)
def cancel(request: Request) -> Any:
    """Cancel an email that waits or is held."""

    def end(email: OutboxEmail, kind: Kind | None) -> OutboxEmail:
        by = f"by our staff, account {request.account.id}"
        decisions.cancel(request.dbsession, email, kind, by)
        return email

    return _decide(request, "cancel", end)


@view_config(
    route_name="staff_email",
    request_method="POST",
    request_param="act=copy",
    permission=STAFF_RECENT,
)
def send_copy(request: Request) -> Any:
    """Send a copy to the member of staff, unless the content holds a secret."""
    email = _email_of(request)
    kind = _kind_of(request, email)
    if kind is None or not is_shown(email, kind):
        tell(request, NO_COPY)
        return _to_email(request, email.id)
    message = copy_for(request.account.address, email, kind)
    copy: OutboxEmail = request.email_service.send_message(message, key=copy_key())
    record_action(request, "copy", target_of(email.id), done=1, detail=target_of(copy.id))
    state = request.localizer.translate(state_words(copy))
    tell(request, COPIED, id=copy.id, state=state)
    return _to_email(request, email.id)


def _decide(request: Request, action: str, decide: Decision) -> HTTPSeeOther:
    """Carry out the decision and keep it, or say why it cannot be carried out."""
    email = _email_of(request)
    try:
        result: OutboxEmail = decide(email, _kind_of(request, email))
    except Refused as refusal:
        tell(request, REFUSED, reason=str(refusal))
        record_action(
            request,
            action,
            target_of(email.id),
            done=0,
            refused=1,
            detail=without_addresses(str(refusal)),
        )
        return _to_email(request, email.id)
    if action != "cancel":
        request.registry.email_wakeup.after_commit(request.dbsession)
    detail = "" if result.id == email.id else target_of(result.id)
    record_action(request, action, target_of(email.id), done=1, detail=detail)
    tell(request, PAST[action])
    return _to_email(request, result.id)


def _email_of(request: Request) -> OutboxEmail:
    id = read_id(request.matchdict["id"])
    email: OutboxEmail | None = None
    if id is not None:
        email = request.dbsession.get(OutboxEmail, id)
    if email is None:
        raise HTTPNotFound()
    return email


def _kind_of(request: Request, email: OutboxEmail) -> Kind | None:
    kind: Kind | None = request.registry.email_kinds.get(email.kind)
    return kind


def _to_email(request: Request, id: int) -> HTTPSeeOther:
    return HTTPSeeOther(request.route_path("staff_email", id=id))
