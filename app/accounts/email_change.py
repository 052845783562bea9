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
from pyramid.response import Response
from pyramid.view import view_config
from sqlalchemy import delete, update
from sqlalchemy.exc import IntegrityError

from app.accounts import emails, known_browsers, rate_limits, tokens
from app.accounts.addresses import Address, parse_address
from app.accounts.events import EventKind, record
from app.accounts.form_fields import AddressField
from app.accounts.limited import require, require_of_network
from app.accounts.models import Account, PendingSignUp, Token, TokenKind
from app.accounts.permissions import RECENT, SIGNED_IN
from app.accounts.send_again import SENDING_AGAIN, wait_to_send_again
from app.accounts.tokens import TokenState
from app.accounts.unusable_links import changed_address, taken_address, unusable_link
from app.mail.events import suppression
from app.web import limits
from app.web.forms import Form
from app.web.translation import _, tell

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
    """Show the present address, the requested one if there is one, and the form for another."""
    return _form_page(request, EmailChangeForm(request))


@view_config(route_name="email_change", request_method="POST", permission=RECENT, renderer=FORM)
def email_change(request: Request) -> Any:
    """Send a link to the new address. An earlier request for another address ends."""
    form = EmailChangeForm(request)
    if not form.validate():
        return _form_page(request, form)
    address = form.new_email.address
    if address.key == request.account.address_key:
        form.refuse(form.new_email, _("Your account has this address already. Enter another one."))
        return _form_page(request, form)
    require(
        request,
        EventKind.EMAIL_CHANGE_REQUEST,
        (rate_limits.EMAIL_CHANGES, limits.network_of(request)),
        (rate_limits.EMAIL_CHANGES_OF_ACCOUNT, str(request.account.id)),
        account_id=request.account.id,
    )
    record(request.dbsession, request, EventKind.EMAIL_CHANGE_REQUEST, request.account.id)
    token = _send_link(request, address)
    request.email_service.send_message(
        emails.email_changed(request, request.account, is_done=False),
        key=f"email_change_requested:{token.id}",
    )
    return HTTPSeeOther(request.route_path("email_change_sent"))


@view_config(
    route_name="email_change_sent", request_method="GET", permission=SIGNED_IN, renderer=CHECK_INBOX
)
def email_change_sent(request: Request) -> Any:
    """Show the page "Check your inbox". Slow mail may take longer than the permission ``RECENT``
    lasts, and this page sends only to an address that was entered with it.
    """
    requested = _requested(request)
    if requested is None:
        return HTTPSeeOther(request.route_path("email_change"))
    return _check_inbox(requested)


@view_config(
    route_name="email_change_sent",
    request_method="POST",
    permission=SIGNED_IN,
    renderer=CHECK_INBOX,
)
def send_again(request: Request) -> Any:
    """Send a new link to the same address. The older links stay usable."""
    wait = wait_to_send_again(request)
    requested = _requested(request)
    if requested is None:
        return HTTPSeeOther(request.route_path("email_change"))
    if wait is not None:
        return _check_inbox(requested, wait)
    _send_link(request, parse_address(requested.address or ""))
    tell(request, SENDING_AGAIN)
    return HTTPSeeOther(request.route_path("email_change_sent"))


@view_config(route_name="confirm_email_change", request_method="GET", renderer=PAGE)
def confirm_page(request: Request) -> Any:
    """Show the button. It needs no sign-in, because the email may be read on another device."""
    require_of_network(request, EventKind.LINK, rate_limits.TOKEN_PAGES)
    token, state = _look_up(request)
    if token is None or state is not TokenState.LIVE:
        return _unusable(request, token, state)
    if Account.find(request.dbsession, token.address_key or "") is not None:
        return taken_address(request)
    return {"address": token.address}


@view_config(route_name="confirm_email_change", request_method="POST")
def confirm(request: Request) -> Any:
    """Change the address, void every other link of the account, and tell the old address. A
    suppression of the new address ends. It does not sign the browser in.
    """
    require_of_network(request, EventKind.LINK, rate_limits.TOKEN_PAGES)
    try:
        # Another account may take the address at any moment. Then nothing of this is kept.
        with request.dbsession.begin_nested():
            token = _use_link(request)
    except IntegrityError:
        return taken_address(request)
    if token is None:
        return _unusable(request, *_look_up(request))
    # Whoever has the link has received an email.
    suppression.lift_address(request.dbsession, token.address or "")
    told = _("Your email address has been changed to ${address}.")
    tell(request, told, address=token.address)
    # Strangers' wrong passwords do not hold back the owner, who has just read the email.
    known_browsers.remember(request, token.address_key or "")
    if request.account is not None:
        return HTTPSeeOther(request.route_path("account"))
    request.visitor.pending = {"address": token.address or ""}
    return HTTPSeeOther(request.route_path("sign_in"))


def _form_page(request: Request, form: EmailChangeForm) -> dict[str, Any]:
    requested = _requested(request)
    return {
        "form": form,
        "address": request.account.address,
        "requested": requested.address if requested else None,
    }


def _requested(request: Request) -> Token | None:
    return tokens.requested_email_change(request.dbsession, request.account.id, request.now)


def _check_inbox(requested: Token, wait: timedelta | None = None) -> dict[str, Any]:
    return {"address": requested.address, "lifetime": LIFETIME, "wait": wait}


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
        message, key=tokens.email_key(token.row), asked_by=limits.asker(request)
    )
    return token.row


def _look_up(request: Request) -> tuple[Token | None, TokenState]:
    secret = request.matchdict["token"]
    return tokens.look_up(request.dbsession, TokenKind.EMAIL_CHANGE, secret, request.now)


def _use_link(request: Request) -> Token | None:
    """Change the address, and return the used token. None if the link does not work. Raises
    ``IntegrityError`` when another account has the address.
    """
    session, secret = request.dbsession, request.matchdict["token"]
    token = tokens.consume(session, TokenKind.EMAIL_CHANGE, secret, request.now)
    if token is None or (account := token.account) is None:
        return None
    request.email_service.send_message(
        emails.email_changed(request, account, is_done=True), key=f"email_changed:{token.id}"
    )
    record(session, request, EventKind.EMAIL_CHANGE, account.id)
    # Whoever confirms a sign-up locks its token first and then takes the address. Voiding the
    # sign-ups' tokens before taking the address keeps that order, so two requests do not wait for
    # each other.
    tokens.void_sign_ups(session, token.address_key or "", request.now)
    session.execute(delete(PendingSignUp).where(PendingSignUp.address_key == token.address_key))
    session.execute(
        update(Account)
        .where(Account.id == account.id)
        .values(address=token.address, address_key=token.address_key)
    )
    return token


def _unusable(request: Request, token: Token | None, state: TokenState) -> Response:
    account = token.account if token is not None else None
    if token is not None and account is not None and account.address_key == token.address_key:
        return changed_address(request)
    return unusable_link(request, TokenKind.EMAIL_CHANGE, state)
