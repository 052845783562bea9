"""Changing the address of an account, with a link that is sent to the new address (STANDARDS B2,
B9).

The old address learns of it at once, and again when it is done. Only an email to its owner says
that the new address has an account already. The pages, the SQL statements and the response time
are the same in both cases.
"""

from datetime import timedelta
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from app.accounts import emails, known_browsers, rate_limits, tokens
from app.accounts.addresses import Address, parse_address
from app.accounts.events import EventKind, record
from app.accounts.form_fields import AddressField
from app.accounts.models import Account, PendingSignUp, Token, TokenKind
from app.accounts.permissions import RECENT
from app.accounts.send_again import SENDING_AGAIN, wait_to_send_again
from app.accounts.tokens import TokenState
from app.accounts.unusable_links import taken_address, unusable_link
from app.web import limits
from app.web.forms import Form
from app.web.translation import _

FORM = "accounts/email_change.jinja2"
CHECK_INBOX = "accounts/email_change_sent.jinja2"
PAGE = "accounts/confirm_email_change.jinja2"
LIFETIME = tokens.LIFETIMES[TokenKind.EMAIL_CHANGE]


class EmailChangeForm(Form):
    """The new address."""

    new_email = AddressField(
        _("New email address"),
        description=_("We will send you a link to confirm that this address is yours."),
    )


@view_config(route_name="email_change", request_method="GET", permission=RECENT, renderer=FORM)
def email_change_form(request: Request) -> Any:
    """Show the present address, and the form for a new one."""
    return {"form": EmailChangeForm(request), "address": request.account.address}


@view_config(route_name="email_change", request_method="POST", permission=RECENT, renderer=FORM)
def email_change(request: Request) -> Any:
    """Send a link to the new address. An earlier request for another address ends."""
    form = EmailChangeForm(request)
    page = {"form": form, "address": request.account.address}
    if not form.validate():
        return page
    address = form.new_email.address
    if address.key == request.account.address_key:
        form.refuse(form.new_email, _("Your account has this address already. Enter another one."))
        return page
    limits.require(request, rate_limits.EMAIL_CHANGES, limits.network_of(request))
    record(request.dbsession, request, EventKind.EMAIL_CHANGE_REQUEST, request.account.id)
    token = _send_link(request, address)
    request.email_service.send_message(
        emails.email_changed(request, request.account, is_done=False),
        key=f"email_change_requested:{token.id}",
    )
    request.visitor.pending = {"new_email": address.stored}
    return HTTPSeeOther(request.route_path("email_change_sent"))


@view_config(
    route_name="email_change_sent", request_method="GET", permission=RECENT, renderer=CHECK_INBOX
)
def email_change_sent(request: Request) -> Any:
    """Show the page "Check your inbox"."""
    if "new_email" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("email_change"))
    return _check_inbox(request)


@view_config(
    route_name="email_change_sent", request_method="POST", permission=RECENT, renderer=CHECK_INBOX
)
def send_again(request: Request) -> Any:
    """Send a new link to the same address. The older links stay usable."""
    if "new_email" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("email_change"))
    wait = wait_to_send_again(request)
    if wait is not None:
        return _check_inbox(request, wait)
    _send_link(request, parse_address(request.visitor.pending["new_email"]))
    request.visitor.tell(request.localizer.translate(SENDING_AGAIN))
    return HTTPSeeOther(request.route_path("email_change_sent"))


@view_config(route_name="confirm_email_change", request_method="GET", renderer=PAGE)
def confirm_page(request: Request) -> Any:
    """Show the button. It needs no sign-in, because the email may be read on another device."""
    limits.require(request, rate_limits.TOKEN_PAGES, limits.network_of(request))
    token, state = _look_up(request)
    if token is None or state is not TokenState.LIVE:
        return unusable_link(request, TokenKind.EMAIL_CHANGE, state)
    return {"address": token.address}


@view_config(route_name="confirm_email_change", request_method="POST")
def confirm(request: Request) -> Any:
    """Change the address, void every other link of the account, and tell the old address. It does
    not sign the browser in.
    """
    limits.require(request, rate_limits.TOKEN_PAGES, limits.network_of(request))
    session = request.dbsession
    secret = request.matchdict["token"]
    token = tokens.consume(session, TokenKind.EMAIL_CHANGE, secret, request.now)
    if token is None or (account := token.account) is None:
        return unusable_link(request, TokenKind.EMAIL_CHANGE, _look_up(request)[1])
    to_old_address = emails.email_changed(request, account, is_done=True)
    if not _set_address(request, account, token):
        return taken_address(request)
    request.email_service.send_message(to_old_address, key=f"email_changed:{token.id}")
    tokens.void_sign_ups(session, token.address_key or "", request.now)
    session.execute(delete(PendingSignUp).where(PendingSignUp.address_key == token.address_key))
    record(session, request, EventKind.EMAIL_CHANGE, account.id)
    told = _("Your email address has been changed to ${address}.")
    request.visitor.tell(request.localizer.translate(told, mapping={"address": token.address}))
    if request.account is not None and request.account.id == account.id:
        known_browsers.remember(request, token.address_key or "")
        request.visitor.pending = {}
        return HTTPSeeOther(request.route_path("account"))
    request.visitor.pending = {"address": token.address or ""}
    return HTTPSeeOther(request.route_path("sign_in"))


def _check_inbox(request: Request, wait: timedelta | None = None) -> dict[str, Any]:
    address = request.visitor.pending["new_email"]
    return {"address": address, "lifetime": LIFETIME, "wait": wait}


def _send_link(request: Request, address: Address) -> Token:
    """Send a link that confirms the new address, or, if the address has an account, tell its owner.
    Returns the link's token.
    """
    session, account = request.dbsession, request.account
    owner = Account.find(session, address.key)
    tokens.void_other_email_changes(session, account.id, address.key, request.now)
    token = tokens.issue(
        session,
        TokenKind.EMAIL_CHANGE,
        request.now,
        account_id=account.id,
        new_address=address,
    )
    if owner is not None:
        message = emails.account_exists(request, owner)
    else:
        message = emails.email_change(request, account, address.stored, token.secret, LIFETIME)
    request.email_service.send_message(
        message, key=f"email_change:{token.row.id}", asked_by=limits.asker(request)
    )
    return token.row


def _look_up(request: Request) -> tuple[Token | None, TokenState]:
    secret = request.matchdict["token"]
    return tokens.look_up(request.dbsession, TokenKind.EMAIL_CHANGE, secret, request.now)


def _set_address(request: Request, account: Account, token: Token) -> bool:
    """Give the account its new address. False when another account has it by now."""
    try:
        with request.dbsession.begin_nested():
            request.dbsession.execute(
                update(Account)
                .where(Account.id == account.id)
                .values(address=token.address, address_key=token.address_key)
            )
    except IntegrityError:
        return False
    return True
