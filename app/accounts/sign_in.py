"""Signing in and out, and the redirect to the sign-in page."""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import forbidden_view_config, view_config
from sqlalchemy import select
from wtforms.validators import InputRequired

from app.accounts.form_fields import AddressField
from app.accounts.models import Account
from app.accounts.passwords import hash_password, needs_new_hash, verify_password
from app.accounts.sessions import begin_session, end_session
from app.database import short_transaction
from app.web.forms import Form, PasswordField
from app.web.links import local_path
from app.web.translation import _


class SignInForm(Form):
    """An email address and a password."""

    email = AddressField(autocomplete="username")
    password = PasswordField(
        _("Password"),
        autocomplete="current-password",
        validators=[InputRequired(_("Enter your password."))],
    )


@view_config(route_name="sign_in", request_method="GET", renderer="accounts/sign_in.jinja2")
def sign_in_form(request: Request) -> Any:
    """Show the form, filled with the address that this browser used before."""
    if request.account:
        return _redirect_to_next(request)
    form = SignInForm(request, email=request.visitor.pending.get("address"))
    return {"form": form, "next": local_path(request.GET.get("next"))}


@view_config(route_name="sign_in", request_method="POST", renderer="accounts/sign_in.jinja2")
def sign_in(request: Request) -> Any:
    """Begin a session.

    A wrong password and an unknown address get the same response in the same time (STANDARDS B3).
    """
    form = SignInForm(request)
    if form.validate():
        account = _authenticate(request, form.email.address.key, form.password.data or "")
        if account is not None:
            begin_session(request, account)
            request.visitor.pending = {}
            return _redirect_to_next(request)
        form.refuse(
            form.password,
            _("The email address or password is not correct. Check both and try again."),
        )
    return {"form": form, "next": local_path(request.GET.get("next"))}


@view_config(route_name="sign_out", request_method="POST")
def sign_out(request: Request) -> Any:
    """Sign this browser out."""
    end_session(request)
    request.visitor.tell(request.localizer.translate(_("You have signed out.")))
    return HTTPSeeOther(request.route_path("sign_in"))


@forbidden_view_config(is_authenticated=False)
def ask_to_sign_in(request: Request) -> Any:
    """Redirect to the sign-in page, and back afterwards if the request was a GET."""
    query = {"next": request.path_qs} if request.method == "GET" else {}
    return HTTPSeeOther(request.route_path("sign_in", _query=query))


def _authenticate(request: Request, address_key: str, password: str) -> Account | None:
    """The account if the password is right, else None.

    Hash the password again if its hash was made with older parameters.
    """
    # This short transaction ends before the slow hashing begins.
    with short_transaction(request.registry, write=False) as session:
        found = Account.find(session, address_key)
    is_right = verify_password(password, found.password_hash if found else None)
    if found is None or not is_right:
        return None
    verified_hash = found.password_hash
    new_hash = hash_password(password) if needs_new_hash(verified_hash) else verified_hash
    # Nobody is signed in if the password was changed while it was verified.
    account: Account | None = request.dbsession.scalar(
        select(Account)
        .where(Account.id == found.id, Account.password_hash == verified_hash)
        .with_for_update()
    )
    if account is not None:
        account.password_hash = new_hash
    return account


def _redirect_to_next(request: Request) -> HTTPSeeOther:
    return HTTPSeeOther(local_path(request.GET.get("next")) or request.route_path("account"))
