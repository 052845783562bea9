"""Deleting an account. It frees the address; orders stay, without the account (STANDARDS B13)."""

from datetime import timedelta
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import delete

from app.accounts import emails, known_browsers, tokens
from app.accounts.authentication import authenticate
from app.accounts.events import EventKind, record
from app.accounts.form_fields import CurrentPasswordField
from app.accounts.models import Account
from app.accounts.permissions import RECENT
from app.accounts.reauthentication import WRONG_PASSWORD
from app.accounts.sessions import end_session
from app.web.forms import Form
from app.web.links import has_route
from app.web.translation import _, tell

FORM = "accounts/deletion.jinja2"


class DeletionForm(Form):
    """The account's password."""

    password = CurrentPasswordField()


@view_config(route_name="delete_account", request_method="GET", permission=RECENT, renderer=FORM)
def deletion_form(request: Request) -> Any:
    """Say what is deleted and what stays, and show the form."""
    return _page(request, DeletionForm(request))


@view_config(route_name="delete_account", request_method="POST", permission=RECENT, renderer=FORM)
def delete_account(request: Request) -> Any:
    """Delete the account with its sessions, links and second factor, and email the owner."""
    form = DeletionForm(request)
    if not form.validate():
        return _page(request, form)
    address_key, password = request.account.address_key, form.password.data or ""
    account = authenticate(request, address_key, password, EventKind.PASSWORD_CHECK)
    if account is None:
        if request.dbsession.get(Account, request.account.id) is None:
            # Another request has deleted the account since this one began.
            return _say_goodbye(request)
        form.refuse(form.password, WRONG_PASSWORD)
        return _page(request, form)
    request.email_service.send_message(
        emails.account_deleted(request, account), key=f"account_deleted:{account.id}"
    )
    session = request.dbsession
    record(session, request, EventKind.DELETION, account.id)
    tokens.void_all(session, account.id, request.now)
    session.flush()
    session.execute(delete(Account).where(Account.id == account.id))
    # The database deletes what belongs to the account, so the ORM must not write to it any more.
    session.expunge_all()
    known_browsers.forget(request, address_key)
    return _say_goodbye(request)


def _page(request: Request, form: DeletionForm) -> dict[str, Any]:
    retention = timedelta(days=request.registry.pillarbox.email.retention_days)
    return {"form": form, "address": request.account.address, "retention": retention}


def _say_goodbye(request: Request) -> HTTPSeeOther:
    end_session(request)
    request.visitor.pending = {}
    tell(request, _("Your account has been deleted."))
    return HTTPSeeOther(request.route_path("home" if has_route(request, "home") else "sign_in"))
