"""Changing the password of a signed-in account. Every other session ends (STANDARDS B4)."""

from collections.abc import Iterable
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config

from app.accounts import emails, tokens
from app.accounts.authentication import authenticate
from app.accounts.events import EventKind, record
from app.accounts.form_fields import CurrentPasswordField, NewPasswordField, NewPasswordForm
from app.accounts.permissions import SIGNED_IN
from app.accounts.reauthentication import WRONG_PASSWORD
from app.accounts.sessions import end_all_sessions, renew_session
from app.web.translation import _, tell

FORM = "accounts/password_change.jinja2"


class PasswordChangeForm(NewPasswordForm):
    """The present password and a new one."""

    current_password = CurrentPasswordField(_("Current password"))
    password = NewPasswordField(_("New password"))

    def context_words(self) -> Iterable[str]:
        """The account's address."""
        return [self.request.account.address]


@view_config(
    route_name="password_change", request_method="GET", permission=SIGNED_IN, renderer=FORM
)
def password_change_form(request: Request) -> Any:
    """Show the form. It asks for the present password, so it needs no other check."""
    return {"form": PasswordChangeForm(request), "address": request.account.address}


@view_config(
    route_name="password_change", request_method="POST", permission=SIGNED_IN, renderer=FORM
)
def password_change(request: Request) -> Any:
    """Set the password, end every other session, void every link, and email the owner."""
    form = PasswordChangeForm(request)
    page = {"form": form, "address": request.account.address}
    if not form.validate():
        return page
    account = authenticate(
        request,
        request.account.address_key,
        form.current_password.data or "",
        EventKind.PASSWORD_CHECK,
        new_password=form.password.data or "",
    )
    if account is None:
        form.refuse(form.current_password, WRONG_PASSWORD)
        return page
    tokens.void_all(request.dbsession, account.id, request.now)
    end_all_sessions(request, account.id, but=request.sign_in_session.id)
    renew_session(request)
    event = record(request.dbsession, request, EventKind.PASSWORD_CHANGE, account.id)
    request.dbsession.flush()
    request.email_service.send_message(
        emails.password_changed(request, account), key=f"password_changed:event {event.id}"
    )
    tell(
        request, _("Your password has been changed. You have been signed out on all other devices.")
    )
    return HTTPSeeOther(request.route_path("account"))
