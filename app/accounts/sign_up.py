"""Signing up: a form, an email with a link, and an account once it is confirmed (STANDARDS B1).

Only an email to its owner says that an address has an account already. The pages, the SQL
statements and the response time are the same in both cases.
"""

from collections.abc import Iterable
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import delete

from app.accounts import emails, tokens
from app.accounts.form_fields import AddressField, NewPasswordField, NewPasswordForm
from app.accounts.models import Account, PendingSignUp, TokenKind
from app.accounts.passwords import hash_password
from app.accounts.unusable_links import unusable_link
from app.database.base import insert_for
from app.web.translation import _


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
    # Delete old sign-ups that were never confirmed.
    request.dbsession.execute(
        delete(PendingSignUp).where(PendingSignUp.created_at < request.now - tokens.RETENTION)
    )
    request.dbsession.add(pending)
    request.dbsession.flush()
    _send_confirmation(request, pending)
    request.visitor.pending = {"sign_up": str(pending.id), "address": address.stored}
    return HTTPSeeOther(request.route_path("sign_up_sent"))


@view_config(
    route_name="sign_up_sent", request_method="GET", renderer="accounts/sign_up_sent.jinja2"
)
def sign_up_sent(request: Request) -> Any:
    """Show the page "Check your inbox"."""
    if "sign_up" not in request.visitor.pending:
        return HTTPSeeOther(request.route_path("sign_up"))
    return {
        "address": request.visitor.pending["address"],
        "lifetime": tokens.LIFETIMES[TokenKind.CONFIRM],
    }


@view_config(route_name="sign_up_sent", request_method="POST")
def send_again(request: Request) -> Any:
    """Send a new link for the same sign-up."""
    sign_up_id = request.visitor.pending.get("sign_up")
    if sign_up_id is None:
        return HTTPSeeOther(request.route_path("sign_up"))
    pending = request.dbsession.get(PendingSignUp, int(sign_up_id))
    if pending is not None:
        _send_confirmation(request, pending)
    request.visitor.tell(request.localizer.translate(_("We have sent you another email.")))
    return HTTPSeeOther(request.route_path("sign_up_sent"))


@view_config(route_name="confirm", request_method="GET", renderer="accounts/confirm.jinja2")
def confirm_page(request: Request) -> Any:
    """Show one button. GET changes nothing, since mail scanners follow links."""
    secret = request.matchdict["token"]
    _token, state = tokens.look_up(request.dbsession, TokenKind.CONFIRM, secret, request.now)
    if state is not tokens.TokenState.LIVE:
        return unusable_link(request, TokenKind.CONFIRM, state)
    return {}


@view_config(route_name="confirm", request_method="POST")
def confirm(request: Request) -> Any:
    """Create the account.

    It does not sign the browser in. The owner of an address may confirm a stranger's sign-up by
    mistake, and must not then use an account whose password the stranger knows.
    """
    secret, session = request.matchdict["token"], request.dbsession
    token = tokens.consume(session, TokenKind.CONFIRM, secret, request.now)
    if token is None:
        _token, state = tokens.look_up(session, TokenKind.CONFIRM, secret, request.now)
        return unusable_link(request, TokenKind.CONFIRM, state)
    account = _create_account(request, token.pending_sign_up)
    if account is None:
        return unusable_link(request, TokenKind.CONFIRM, tokens.TokenState.USED)
    request.email_service.send_message(
        emails.welcome(request, account), key=f"welcome:{account.id}"
    )
    request.visitor.pending = {"address": account.address}
    request.visitor.tell(
        request.localizer.translate(
            _("Your email address is confirmed. Sign in with your password.")
        )
    )
    return HTTPSeeOther(request.route_path("sign_in"))


def _send_confirmation(request: Request, pending: PendingSignUp) -> None:
    session = request.dbsession
    account = Account.find(session, pending.address_key)
    token = tokens.issue(session, TokenKind.CONFIRM, request.now, pending_sign_up_id=pending.id)
    if account is None:
        lifetime = tokens.LIFETIMES[TokenKind.CONFIRM]
        message = emails.confirm_address(request, pending, token.secret, lifetime)
    else:
        message = emails.account_exists(request, account)
    email = request.email_service.send_message(message, key=f"{message.kind.name}:{token.row.id}")
    tokens.void_older(session, token.row, email, request.now)


def _create_account(request: Request, pending: PendingSignUp | None) -> Account | None:
    """The new account, or None if another sign-up for the address was confirmed first."""
    if pending is None:
        return None
    session = request.dbsession
    account: Account | None = session.scalars(
        insert_for(session, Account)
        .values(
            address=pending.address,
            address_key=pending.address_key,
            password_hash=pending.password_hash,
            locale=pending.locale,
            created_at=request.now,
        )
        .on_conflict_do_nothing(index_elements=["address_key"])
        .returning(Account)
    ).one_or_none()
    session.execute(delete(PendingSignUp).where(PendingSignUp.id == pending.id))
    return account
