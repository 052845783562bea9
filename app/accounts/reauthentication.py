"""Entering the password again before a page with the permission ``RECENT`` (STANDARDS B9)."""

from typing import Any

from pyramid.httpexceptions import HTTPForbidden, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import forbidden_view_config, view_config

from app.accounts.authentication import authenticate
from app.accounts.events import EventKind
from app.accounts.form_fields import CurrentPasswordField
from app.accounts.permissions import SIGNED_IN, PasswordNeeded
from app.accounts.sessions import renew_session
from app.web.errors import http_error
from app.web.forms import Form
from app.web.links import local_path
from app.web.translation import _

WRONG_PASSWORD = _("This password is not correct. Check it and try again.")
PAGE = "accounts/reauthentication.jinja2"


class ConfirmPasswordForm(Form):
    """The account's present password."""

    password = CurrentPasswordField()


@forbidden_view_config(is_authenticated=True, renderer="errors/refused.jinja2")
def ask_for_password(error: HTTPForbidden, request: Request) -> Any:
    """Redirect to the page that asks for the password, and back afterwards."""
    if not isinstance(error.result, PasswordNeeded):
        return http_error(error, request)
    return HTTPSeeOther(request.route_path("reauthenticate", _query={"next": request.path_qs}))


@view_config(route_name="reauthenticate", request_method="GET", permission=SIGNED_IN, renderer=PAGE)
def reauthentication_form(request: Request) -> Any:
    """Show the form."""
    return {"form": ConfirmPasswordForm(request), "address": request.account.address}


@view_config(
    route_name="reauthenticate", request_method="POST", permission=SIGNED_IN, renderer=PAGE
)
def reauthenticate(request: Request) -> Any:
    """Check the password, and give the session a new id."""
    form = ConfirmPasswordForm(request)
    if form.validate():
        address_key, password = request.account.address_key, form.password.data or ""
        if authenticate(request, address_key, password, EventKind.PASSWORD_CHECK) is not None:
            renew_session(request)
            next_path = local_path(request.GET.get("next"))
            return HTTPSeeOther(next_path or request.route_path("account"))
        form.refuse(form.password, WRONG_PASSWORD)
    return {"form": form, "address": request.account.address}
