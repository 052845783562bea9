"""Signing in and out, and the redirect to the sign-in page."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import forbidden_view_config, view_config

from app.accounts import known_browsers, second_factor
from app.accounts.authentication import authenticate
from app.accounts.events import EventKind, record
from app.accounts.form_fields import AddressField, CurrentPasswordField
from app.accounts.sessions import begin_session, end_session
from app.web.forms import Form
from app.web.links import local_path
from app.web.translation import _, tell


class SignInForm(Form):
    """An email address and a password."""

    email = AddressField(autocomplete="username")
    password = CurrentPasswordField()


@view_config(route_name="sign_in", request_method="GET", renderer="accounts/sign_in.jinja2")
def sign_in_form(request: Request) -> Any:
    """Show the form, filled with the address that this browser used before."""
    if request.account:
        return redirect_to_next(request)
    form = SignInForm(request, email=request.visitor.pending.get("address"))
    return {"form": form, "next": local_path(request.GET.get("next"))}


@view_config(route_name="sign_in", request_method="POST", renderer="accounts/sign_in.jinja2")
def sign_in(request: Request) -> Any:
    """Begin a session. With a second factor, ask for its code on the next page.

    A wrong password and an unknown address get the same response in the same time (STANDARDS B3).
    """
    form = SignInForm(request)
    if form.validate():
        account = authenticate(request, form.email.address.key, form.password.data or "")
        if account is not None:
            request.visitor.pending = {}
            if second_factor.find(request.dbsession, account.id) is not None:
                begin_session(request, account, awaits_code=True)
                query = {"next": path} if (path := local_path(request.GET.get("next"))) else None
                return HTTPSeeOther(request.route_path("sign_in_code", _query=query))
            begin_session(request, account)
            known_browsers.remember(request, account.address_key)
            return redirect_to_next(request)
        form.refuse(
            form.password,
            _("The email address or password is not correct. Check both and try again."),
        )
    return {"form": form, "next": local_path(request.GET.get("next"))}


@view_config(route_name="sign_out", request_method="POST")
def sign_out(request: Request) -> Any:
    """Sign this browser out."""
    if request.account:
        record(request.dbsession, request, EventKind.SIGN_OUT, request.account.id)
    end_session(request)
    tell(request, _("You have signed out."))
    return HTTPSeeOther(request.route_path("sign_in"))


@forbidden_view_config(is_authenticated=False)
def ask_to_sign_in(request: Request) -> Any:
    """Redirect to the sign-in page, and back afterwards if the request was a GET."""
    query = {"next": request.path_qs} if request.method == "GET" else {}
    return HTTPSeeOther(request.route_path("sign_in", _query=query))


def redirect_to_next(request: Request) -> HTTPSeeOther:
    """Redirect to the page that the customer wanted before signing in."""
    return HTTPSeeOther(local_path(request.GET.get("next")) or request.route_path("account"))
