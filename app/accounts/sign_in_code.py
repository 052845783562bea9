"""The second page of a sign-in: the code of the second factor."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config

from app.accounts import emails, known_browsers, recovery_codes
from app.accounts.codes import CodeForm, WrongCode, use_code
from app.accounts.email_kinds import SecondFactorChange
from app.accounts.events import EventKind, record
from app.accounts.models import SignInSession
from app.accounts.sessions import complete_session
from app.accounts.sign_in import redirect_to_next

PAGE = "accounts/sign_in_code.jinja2"


@view_config(route_name="sign_in_code", request_method="GET", renderer=PAGE)
def code_form(request: Request) -> Any:
    """Show the form to a browser in which the password was right."""
    if request.account:
        return redirect_to_next(request)
    if request.stored_session is None:
        return _to_sign_in(request)
    return {"form": CodeForm(request)}


@view_config(route_name="sign_in_code", request_method="POST", renderer=PAGE)
def check_code(request: Request) -> Any:
    """Sign the customer in if the code is right."""
    waiting: SignInSession | None = request.stored_session
    if waiting is None or not waiting.awaits_code:
        return _to_sign_in(request)
    form = CodeForm(request)
    if not form.validate():
        return {"form": form}
    account = waiting.account
    try:
        kind = use_code(request, account.id, form.code.data or "")
    except WrongCode as wrong:
        return form.refuse_code(wrong)
    if not complete_session(request, waiting):
        # Raised, so that the code is not used up.
        raise _to_sign_in(request)
    known_browsers.remember(request, account.address_key)
    event = record(request.dbsession, request, kind, account.id)
    if kind is EventKind.RECOVERY_CODE:
        request.dbsession.flush()
        message = emails.second_factor_changed(
            request,
            account,
            SecondFactorChange.RECOVERY_CODE_USED,
            codes_left=recovery_codes.left(request.dbsession, account.id),
        )
        request.email_service.send_message(message, key=f"second_factor_changed:{event.id}")
    return redirect_to_next(request)


def _to_sign_in(request: Request) -> HTTPSeeOther:
    """Redirect to the first page, because the password was entered too long ago, or not at all."""
    next_path = request.GET.get("next")
    query = {"next": next_path} if next_path else None
    return HTTPSeeOther(request.route_path("sign_in", _query=query))
