"""Resetting a forgotten password with a link that is sent by email.

The response is the same whether the address has an account or not (STANDARDS B3).
"""

from datetime import timedelta
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy.orm import Session

from app.accounts import emails, known_browsers, rate_limits, tokens
from app.accounts.addresses import Address, parse_address
from app.accounts.events import EventKind, record
from app.accounts.form_fields import AddressField, ChoosePasswordForm
from app.accounts.limited import require_of_network
from app.accounts.models import Account, TokenKind
from app.accounts.passwords import hash_password
from app.accounts.send_again import wait_to_send_again
from app.accounts.sessions import end_all_sessions
from app.accounts.unusable_links import unusable_link
from app.database import short_transaction
from app.mail import BodyFormat
from app.web import limits
from app.web.forms import Form
from app.web.translation import _, tell

CHECK_INBOX = "accounts/forgot_password_sent.jinja2"


class ForgotPasswordForm(Form):
    """The address of the account."""

    email = AddressField(autocomplete="username")


@view_config(
    route_name="forgot_password", request_method="GET", renderer="accounts/forgot_password.jinja2"
)
def forgot_password_form(request: Request) -> Any:
    """Show the form, filled with the address that this browser used before."""
    return {"form": ForgotPasswordForm(request, email=request.visitor.pending.get("address"))}


@view_config(
    route_name="forgot_password", request_method="POST", renderer="accounts/forgot_password.jinja2"
)
def forgot_password(request: Request) -> Any:
    """Send a reset link to the address if it has an account."""
    form = ForgotPasswordForm(request)
    if not form.validate():
        return {"form": form}
    require_of_network(request, EventKind.RESET_REQUEST, rate_limits.RESET_REQUESTS)
    _send_link(request, form.email.address)
    request.visitor.pending = {"address": form.email.address.stored}
    return HTTPSeeOther(request.route_path("forgot_password_sent"))


@view_config(route_name="forgot_password_sent", request_method="GET", renderer=CHECK_INBOX)
def forgot_password_sent(request: Request) -> Any:
    """Show the page "Check your inbox"."""
    if "address" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("forgot_password"))
    return _check_inbox(request)


@view_config(route_name="forgot_password_sent", request_method="POST", renderer=CHECK_INBOX)
def send_again(request: Request) -> Any:
    """Send a new link to the same address. The older links stay usable."""
    if "address" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("forgot_password"))
    wait = wait_to_send_again(request)
    if wait is not None:
        return _check_inbox(request, wait)
    _send_link(request, parse_address(request.visitor.pending["address"]))
    tell(
        request,
        _(
            "If there is an account for this address, we are sending another email, unless too"
            " many were requested. In that case, use the link in one of those."
        ),
    )
    return HTTPSeeOther(request.route_path("forgot_password_sent"))


@view_config(
    route_name="reset_password", request_method="GET", renderer="accounts/reset_password.jinja2"
)
def reset_password_form(request: Request) -> Any:
    """Show the form for the new password. GET changes nothing, since mail scanners follow links."""
    require_of_network(request, EventKind.LINK, rate_limits.TOKEN_PAGES)
    account, state = _account_of_token(request, request.dbsession)
    if account is None:
        return unusable_link(request, TokenKind.RESET, state)
    return {"form": ChoosePasswordForm(request, account.address)}


@view_config(
    route_name="reset_password", request_method="POST", renderer="accounts/reset_password.jinja2"
)
def reset_password(request: Request) -> Any:
    """Set the password, end every session, void every other link, and email the owner.

    It does not sign the customer in (STANDARDS B4).
    """
    require_of_network(request, EventKind.LINK, rate_limits.TOKEN_PAGES)
    # This short transaction ends before the slow hashing begins.
    with short_transaction(request.registry, write=False) as session:
        account, state = _account_of_token(request, session)
    if account is None:
        return unusable_link(request, TokenKind.RESET, state)
    form = ChoosePasswordForm(request, account.address)
    if not form.validate():
        return {"form": form}
    password_hash = hash_password(form.password.data or "")

    session = request.dbsession
    token = tokens.consume(session, TokenKind.RESET, request.matchdict["token"], request.now)
    if token is None or (account := token.account) is None:
        # Another request has used this token, or another of the account's, since it was looked up.
        _account, state = _account_of_token(request, session)
        return unusable_link(request, TokenKind.RESET, state)
    account.password_hash = password_hash
    end_all_sessions(request, account.id)
    record(session, request, EventKind.PASSWORD_RESET, account.id)
    # Strangers' wrong passwords do not hold back the owner, who has just read the email.
    known_browsers.remember(request, account.address_key)
    request.email_service.send_message(
        emails.password_changed(request, account), key=f"password_changed:{token.id}"
    )
    request.visitor.pending = {"address": account.address}
    tell(request, _("Your password has been changed. Sign in with your new password."))
    return HTTPSeeOther(request.route_path("sign_in"))


def _check_inbox(request: Request, wait: timedelta | None = None) -> dict[str, Any]:
    return {
        "address": request.visitor.pending["address"],
        "lifetime": tokens.LIFETIMES[TokenKind.RESET],
        "wait": wait,
    }


def _send_link(request: Request, address: Address) -> None:
    """Send a reset link if there is an account.

    If there is none, do the same work and roll it back. Otherwise the response time would reveal
    whether the address has an account.
    """
    session = request.dbsession
    account = Account.find(session, address.key)
    record(session, request, EventKind.RESET_REQUEST, account.id if account else None)
    token = tokens.issue(
        session, TokenKind.RESET, request.now, account_id=account.id if account else None
    )
    lifetime = tokens.LIFETIMES[TokenKind.RESET]
    owner = account or Account(
        id=0, address=address.stored, locale=request.locale_name, body_format=BodyFormat.BOTH
    )
    with session.begin_nested() as savepoint:
        message = emails.password_reset(request, owner, token.secret, lifetime)
        request.email_service.send_message(
            message,
            key=tokens.email_key(token.row),
            asked_by=limits.asker(request),
        )
        if account is None:
            savepoint.rollback()


def _account_of_token(
    request: Request, session: Session
) -> tuple[Account | None, tokens.TokenState]:
    """The account that the live token in the URL belongs to, else None; and the token's state."""
    secret = request.matchdict["token"]
    token, state = tokens.look_up(session, TokenKind.RESET, secret, request.now)
    if token is None or state is not tokens.TokenState.LIVE:
        return None, state
    return token.account, state
