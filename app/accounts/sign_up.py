"""Signing up: a form, an email, and an account once its link was confirmed (STANDARDS B1).

Whether an address has an account already is told to its owner alone, by email. The pages, the
statements and the time are the same in both cases.
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
from app.database import insert_for
from app.web.translation import _


class SignUpForm(NewPasswordForm):
    """An address and a password."""

    email = AddressField(
        _("Email address"),
        description=_("We send a link to it, to be sure that it is yours."),
    )
    password = NewPasswordField(
        _("Password"),
        description=_("A few words in a row are easy to remember and hard to guess."),
    )

    def context_words(self) -> Iterable[str]:
        """The address, as far as it was given."""
        return [self.email.data or ""]


@view_config(route_name="sign_up", request_method="GET", renderer="accounts/sign_up.jinja2")
def sign_up_form(request: Request) -> Any:
    """The empty form, with the address of a sign-up that is to be corrected."""
    if request.account:
        return HTTPSeeOther(request.route_path("account"))
    return {"form": SignUpForm(request, email=request.visitor.pending.get("address"))}


@view_config(route_name="sign_up", request_method="POST", renderer="accounts/sign_up.jinja2")
def sign_up(request: Request) -> Any:
    """Keep the sign-up until its address is confirmed, and ask for that by email."""
    form = SignUpForm(request)
    if not form.validate():
        return {"form": form}
    # Before the transaction's first statement, and for an address that is taken too.
    password_hash = hash_password(form.password.data or "")
    address = form.email.address
    pending = PendingSignUp(
        address=address.stored,
        address_key=address.key,
        password_hash=password_hash,
        locale=request.locale_name,
        created_at=request.now,
    )
    # What nobody confirmed for long is forgotten on the way.
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
    """Check your inbox."""
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
    request.visitor.tell(request.localizer.translate(_("We have sent another email.")))
    return HTTPSeeOther(request.route_path("sign_up_sent"))


@view_config(route_name="confirm", request_method="GET", renderer="accounts/confirm.jinja2")
def confirm_page(request: Request) -> Any:
    """One button. Following the link changes nothing, since mail scanners follow links too."""
    secret = request.matchdict["token"]
    _token, state = tokens.look_up(request.dbsession, TokenKind.CONFIRM, secret, request.now)
    if state is not tokens.TokenState.LIVE:
        return unusable_link(request, TokenKind.CONFIRM, state)
    return {}


@view_config(route_name="confirm", request_method="POST")
def confirm(request: Request) -> Any:
    """Create the account.

    Nobody is signed in by it: whoever signed up with somebody else's address must not be let into
    the account that its owner confirms by mistake, and the owner not into an account whose
    password a stranger knows.
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
        request.localizer.translate(_("Your address is confirmed. Sign in with your password."))
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
    """The new account; None when another sign-up for the address was confirmed first."""
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
