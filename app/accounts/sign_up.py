"""Signing up: a form, and an email with a link that creates the account (STANDARDS B1).

Only an email to its owner says that an address has an account already. The pages, the SQL
statements and the response time are the same in both cases.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config

from app.accounts import emails, rate_limits, tokens
from app.accounts.addresses import Address, parse_address
from app.accounts.events import EventKind, record
from app.accounts.form_fields import AddressField, NewPasswordField, NewPasswordForm
from app.accounts.limited import require_of_network
from app.accounts.models import Account, PendingSignUp, TokenKind
from app.accounts.passwords import hash_password
from app.accounts.send_again import SENDING_AGAIN, wait_to_send_again
from app.mail import BodyFormat
from app.mail.outbox import endings
from app.web import limits
from app.web.translation import _, tell

CHECK_INBOX = "accounts/sign_up_sent.jinja2"


class SignUpForm(NewPasswordForm):
    """An email address and a new password."""

    email = AddressField(
        description=_("We will send you a link to confirm that this address is yours.")
    )
    password = NewPasswordField(_("Password"))

    def context_words(self) -> Iterable[str]:
        """The address as it was typed."""
        return [self.email.data or ""]


@view_config(route_name="sign_up", request_method="GET", renderer="accounts/sign_up.jinja2")
def sign_up_form(request: Request) -> Any:
    """Show the form, filled with the address that this browser used before."""
    if request.account:
        return HTTPSeeOther(request.route_path("account"))
    return {"form": SignUpForm(request, email=request.visitor.pending.get("address"))}


@view_config(route_name="sign_up", request_method="POST", renderer="accounts/sign_up.jinja2")
def sign_up(request: Request) -> Any:
    """Store the sign-up, and send an email that asks to confirm the address."""
    form = SignUpForm(request)
    if not form.validate():
        return {"form": form}
    require_of_network(request, EventKind.SIGN_UP, rate_limits.SIGN_UPS)
    # Hash before the transaction's first statement. Hash for an address that has an account too, so
    # that the response time does not reveal it.
    password_hash = hash_password(form.password.data or "")
    address = form.email.address
    pending = PendingSignUp(
        address=address.stored,
        address_key=address.key,
        password_hash=password_hash,
        locale=request.locale_name,
        created_at=request.now,
    )
    _forget_corrected_sign_up(request, address)
    request.dbsession.add(pending)
    request.dbsession.flush()
    record(request.dbsession, request, EventKind.SIGN_UP, None)
    _send_email(request, address, pending)
    request.visitor.pending = {"sign_up": str(pending.id), "address": address.stored}
    return HTTPSeeOther(request.route_path("sign_up_sent"))


@view_config(route_name="sign_up_sent", request_method="GET", renderer=CHECK_INBOX)
def sign_up_sent(request: Request) -> Any:
    """Show the page "Check your inbox"."""
    if "sign_up" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("sign_up"))
    return _check_inbox(request)


@view_config(route_name="sign_up_sent", request_method="POST", renderer=CHECK_INBOX)
def send_again(request: Request) -> Any:
    """Send a new link for the same sign-up. The older links stay usable."""
    if "sign_up" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("sign_up"))
    wait = wait_to_send_again(request)
    if wait is not None:
        return _check_inbox(request, wait)
    pending = request.dbsession.get(PendingSignUp, int(request.visitor.pending["sign_up"]))
    _send_email(request, parse_address(request.visitor.pending["address"]), pending)
    tell(request, SENDING_AGAIN)
    return HTTPSeeOther(request.route_path("sign_up_sent"))


def _check_inbox(request: Request, wait: timedelta | None = None) -> dict[str, Any]:
    return {
        "address": request.visitor.pending["address"],
        "lifetime": tokens.LIFETIMES[TokenKind.CONFIRM],
        "wait": wait,
    }


def _forget_corrected_sign_up(request: Request, address: Address) -> None:
    """Delete this browser's last sign-up if it has another address than this one. Its links die,
    and its emails that still wait are cancelled. An email that is being sent goes out.

    The statements are the same whether the other address has an account or not.
    """
    own_id = request.visitor.pending.get("sign_up")
    if own_id is None or parse_address(request.visitor.pending["address"]).key == address.key:
        return
    tokens.withdraw_sign_up(request.dbsession, int(own_id), request.now)
    endings.cancel_about(
        request.dbsession, emails.about_sign_up(int(own_id)), "the customer corrected the address"
    )


def _send_email(request: Request, address: Address, pending: PendingSignUp | None) -> None:
    """Send a link that confirms the sign-up, or, if the address has an account, say so.

    ``pending`` is None when the sign-up is no longer there. Either the address was confirmed, and
    then it has an account. Or the sign-up was corrected, or is older than the retention, and then
    this function does the same work and rolls it back. Otherwise a stranger who kept the cookie of
    a corrected sign-up would learn whether the address has an account.
    """
    session = request.dbsession
    account = Account.find(session, address.key)
    token = tokens.issue(
        session,
        TokenKind.CONFIRM,
        request.now,
        pending_sign_up_id=pending.id if pending is not None else None,
    )
    if account is None and pending is not None:
        lifetime = tokens.LIFETIMES[TokenKind.CONFIRM]
        message = emails.confirm_address(request, pending, token.secret, lifetime)
    else:
        owner = account or Account(
            id=0, address=address.stored, locale=request.locale_name, body_format=BodyFormat.BOTH
        )
        message = emails.account_exists(request, owner, pending)
    with session.begin_nested() as savepoint:
        request.email_service.send_message(
            message, key=f"{message.kind.name}:{token.row.id}", asked_by=limits.asker(request)
        )
        if account is None and pending is None:
            savepoint.rollback()
