"""The pages under ``/account/second-factor``: turn the second factor on and off, and get new
recovery codes. Customers read "second step".
"""

from io import BytesIO
from typing import Any

import segno
from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.accounts import emails, recovery_codes, second_factor
from app.accounts.codes import CodeForm, WrongCode, key_changed, step_of_set_up, use_code
from app.accounts.email_kinds import SecondFactorChange
from app.accounts.events import EventKind, record
from app.accounts.models import SecondFactor
from app.accounts.permissions import RECENT
from app.accounts.sessions import complete_session, end_all_sessions
from app.database import short_transaction
from app.web.translation import _, tell

PAGE = "accounts/second_factor.jinja2"
CODE_PAGE = "accounts/second_factor_code.jinja2"
RECOVERY_CODES_PAGE = "accounts/recovery_codes.jinja2"
TURN_OFF = {
    "title": _("Turn the second step off"),
    "lead": _(
        "Afterwards your password alone signs you in. You will be signed out on all other devices."
    ),
    "button": _("Turn off"),
}
RENEW = {
    "title": _("New recovery codes"),
    "lead": _("Your older recovery codes stop working. You get ten new ones."),
    "button": _("Create new codes"),
}


@view_config(route_name="second_factor", request_method="GET", permission=RECENT, renderer=PAGE)
def second_factor_page(request: Request) -> Any:
    """Show whether the factor is on, or the key of a set-up that is under way."""
    account_id = request.account.id
    factor = second_factor.find(request.dbsession, account_id)
    if factor is not None:
        page = {"state": "on", "left": recovery_codes.left(request.dbsession, account_id)}
        return page | {"problem": _problem_of(request, factor), "since": factor.confirmed_at}
    set_up = second_factor.find_set_up(request.dbsession, _secret(request), account_id, request.now)
    if set_up is not None:
        return _set_up_page(request, set_up, CodeForm(request))
    return {"state": "off"}


@view_config(route_name="second_factor", request_method="POST", permission=RECENT, renderer=PAGE)
def start(request: Request) -> Any:
    """Start a set-up."""
    second_factor.start_set_up(request.dbsession, _secret(request), request.account.id, request.now)
    return _to_page(request)


@view_config(
    route_name="second_factor",
    request_method="POST",
    request_param="code",
    permission=RECENT,
    renderer=PAGE,
)
def turn_on(request: Request) -> Any:
    """Turn the factor on with its first code, end every other session, and show the recovery codes.

    The codes are the response of the POST itself: a redirect would have to keep them somewhere, and
    the database has their digests only.
    """
    account = request.account
    with short_transaction(request.registry, write=False) as session:
        set_up = second_factor.find_set_up(session, _secret(request), account.id, request.now)
    if set_up is None:
        return _to_page(request)
    form = CodeForm(request)
    if not form.validate():
        return _set_up_page(request, set_up, form)
    try:
        step = step_of_set_up(request, set_up, form.code.data or "")
    except WrongCode as wrong:
        return _set_up_page(request, set_up, form) | form.refuse_code(wrong)
    if not second_factor.turn_on(request.dbsession, set_up, step, request.now):
        return _to_page(request)
    end_all_sessions(request, account.id, but=request.sign_in_session.id)
    complete_session(request, request.sign_in_session)
    _tell(request, EventKind.SECOND_FACTOR_ON, SecondFactorChange.ON)
    return _recovery_codes_page(request)


@view_config(route_name="second_factor_qr", request_method="GET", permission=RECENT)
def qr_code(request: Request) -> Response:
    """The key of the set-up as a QR code. No cache stores it: the customer is signed in."""
    set_up = second_factor.find_set_up(
        request.dbsession, _secret(request), request.account.id, request.now
    )
    if set_up is None:
        raise HTTPNotFound()
    link = second_factor.app_link(
        second_factor.key_of(set_up, _secret(request)),
        site_name=request.registry.pillarbox.site.name,
        address=request.account.address,
    )
    svg = BytesIO()
    # The quiet zone around the code is white in the dark scheme too, because cameras need it.
    segno.make_qr(link, error="m").save(
        svg, kind="svg", border=4, dark="#000", light="#fff", omitsize=True, svgclass=None,
        lineclass=None, title=request.localizer.translate(_("QR code for an authenticator app")),
    )  # fmt: skip
    response = request.response
    response.content_type, response.charset = "image/svg+xml", "utf-8"
    response.body = svg.getvalue()
    return response


@view_config(
    route_name="second_factor_off", request_method="GET", permission=RECENT, renderer=CODE_PAGE
)
def turn_off_form(request: Request) -> Any:
    """Ask for a code."""
    return _code_page(request, TURN_OFF)


@view_config(
    route_name="second_factor_off", request_method="POST", permission=RECENT, renderer=CODE_PAGE
)
def turn_off(request: Request) -> Any:
    """Delete the factor and the recovery codes, and end every other session."""
    form = CodeForm(request)
    account_id = request.account.id
    page = {"form": form, "act": TURN_OFF}
    if not form.validate():
        return page
    try:
        use_code(request, account_id, form.code.data or "")
    except WrongCode as wrong:
        return page | form.refuse_code(wrong)
    if not second_factor.turn_off(request.dbsession, account_id):
        return _to_page(request)
    recovery_codes.delete_all(request.dbsession, account_id)
    end_all_sessions(request, account_id, but=request.sign_in_session.id)
    _tell(request, EventKind.SECOND_FACTOR_OFF, SecondFactorChange.OFF)
    tell(request, _("The second step is off."))
    return _to_page(request)


@view_config(
    route_name="recovery_codes", request_method="GET", permission=RECENT, renderer=CODE_PAGE
)
def new_recovery_codes_form(request: Request) -> Any:
    """Ask for a code."""
    return _code_page(request, RENEW)


@view_config(
    route_name="recovery_codes", request_method="POST", permission=RECENT, renderer=CODE_PAGE
)
def new_recovery_codes(request: Request) -> Any:
    """Replace the recovery codes, and show the new ones as ``turn_on`` does."""
    form = CodeForm(request)
    page = {"form": form, "act": RENEW}
    if not form.validate():
        return page
    try:
        use_code(request, request.account.id, form.code.data or "")
    except WrongCode as wrong:
        return page | form.refuse_code(wrong)
    _tell(request, EventKind.NEW_RECOVERY_CODES, SecondFactorChange.NEW_RECOVERY_CODES)
    return _recovery_codes_page(request)


def _set_up_page(request: Request, set_up: SecondFactor, form: CodeForm) -> dict[str, Any]:
    key = second_factor.key_of(set_up, _secret(request))
    return {"state": "set up", "form": form, "key": recovery_codes.in_groups(key, " ")}


def _code_page(request: Request, act: dict[str, str]) -> Any:
    if second_factor.find(request.dbsession, request.account.id) is None:
        return _to_page(request)
    return {"form": CodeForm(request), "act": act}


def _recovery_codes_page(request: Request) -> dict[str, Any]:
    request.override_renderer = RECOVERY_CODES_PAGE
    return {"codes": recovery_codes.renew(request.dbsession, request.account.id)}


def _tell(request: Request, kind: EventKind, change: SecondFactorChange) -> None:
    """Record the change, and tell the owner by email."""
    event = record(request.dbsession, request, kind, request.account.id)
    request.dbsession.flush()
    message = emails.second_factor_changed(request, request.account, change)
    request.email_service.send_message(message, key=f"second_factor_changed:{event.id}")


def _problem_of(request: Request, factor: SecondFactor) -> str | None:
    try:
        second_factor.key_of(factor, _secret(request))
    except second_factor.KeyChanged:
        return key_changed(request)
    return None


def _to_page(request: Request) -> HTTPSeeOther:
    return HTTPSeeOther(request.route_path("second_factor"))


def _secret(request: Request) -> str:
    secret: str = request.registry.pillarbox.secret
    return secret
