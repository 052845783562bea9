"""Confirming an address with the link in an email, which creates the account (STANDARDS B1).

Anybody can sign up with somebody else's address, and the owner's inbox then holds a link to an
account whose password a stranger knows. So the account gets a password that whoever confirms knows:

- The browser that signed up with the address confirms with one button. The password is the one of
  its own sign-up, whichever sign-up the link belongs to.
- Any other browser enters the password of the link's sign-up, or chooses a new one. The owner of
  the inbox may always choose, as with a reset.
"""

from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.accounts import emails, rate_limits, tokens
from app.accounts.events import EventKind, record
from app.accounts.form_fields import ChoosePasswordForm, CurrentPasswordField
from app.accounts.limited import require_of_network
from app.accounts.models import Account, PendingSignUp, TokenKind
from app.accounts.passwords import hash_password, verify_password
from app.accounts.tokens import TokenState
from app.accounts.unusable_links import unusable_link
from app.database import short_transaction
from app.database.base import insert_for
from app.mail.events import suppression
from app.web.forms import Form
from app.web.translation import _, tell

PAGE = "accounts/confirm.jinja2"


class SignUpPasswordForm(Form):
    """The password that was chosen at sign-up with ``address``."""

    password = CurrentPasswordField()

    def __init__(self, request: Request, address: str) -> None:
        self.address = address
        super().__init__(request)


@view_config(route_name="confirm", request_method="GET", renderer=PAGE)
def confirm_page(request: Request) -> Any:
    """Show the button, and the password's form where it is needed. GET changes nothing, since mail
    scanners follow links.
    """
    require_of_network(request, EventKind.LINK, rate_limits.TOKEN_PAGES)
    sign_up, state = _sign_up_of_link(request, request.dbsession)
    if sign_up is None:
        return unusable_link(request, TokenKind.CONFIRM, state)
    if _own_sign_up(request, request.dbsession, sign_up) is not None:
        return _page(request)
    return _page(request, _password_form(request, sign_up.address))


@view_config(route_name="confirm", request_method="POST", renderer=PAGE)
def confirm(request: Request) -> Any:
    """Create the account, void every other link to the address, and send a welcome. A suppression
    of the address ends.

    It does not sign the browser in.
    """
    require_of_network(request, EventKind.LINK, rate_limits.TOKEN_PAGES)
    # This short transaction ends before the slow hashing begins.
    with short_transaction(request.registry, write=False) as session:
        sign_up, state = _sign_up_of_link(request, session)
        own = _own_sign_up(request, session, sign_up) if sign_up is not None else None
    if sign_up is None:
        return unusable_link(request, TokenKind.CONFIRM, state)
    password_hash = (own or sign_up).password_hash
    if own is None:
        form = _password_form(request, sign_up.address)
        if not form.validate():
            return _page(request, form)
        if isinstance(form, ChoosePasswordForm):
            password_hash = hash_password(form.password.data or "")
        elif not verify_password(form.password.data or "", password_hash):
            form = ChoosePasswordForm(request, sign_up.address)
            form.refuse(
                form.password,
                _(
                    "This is not the password that was chosen at sign-up. Enter it again, or choose"
                    " a new one."
                ),
            )
            return _page(request, form)

    secret = request.matchdict["token"]
    token = tokens.consume(request.dbsession, TokenKind.CONFIRM, secret, request.now)
    if token is None:
        # Another request has used this link, or another one to the address, since it was looked up.
        _sign_up, state = _sign_up_of_link(request, request.dbsession)
        return unusable_link(request, TokenKind.CONFIRM, state)
    account = _create_account(request, sign_up, password_hash, (own or sign_up).locale)
    if account is None:
        return unusable_link(request, TokenKind.CONFIRM, TokenState.USED)
    record(request.dbsession, request, EventKind.SIGN_UP, account.id)
    # Whoever has the link has received an email.
    suppression.lift_address(request.dbsession, account.address)
    request.email_service.send_message(
        emails.welcome(request, account), key=f"welcome:{account.id}"
    )
    request.visitor.pending = {"address": account.address}
    tell(request, _("Your email address is confirmed. Sign in with your password."))
    return HTTPSeeOther(request.route_path("sign_in"))


def _page(
    request: Request, form: SignUpPasswordForm | ChoosePasswordForm | None = None
) -> dict[str, Any]:
    """What the template needs. Without a form, the page has only a button."""
    token = request.matchdict["token"]
    page: dict[str, Any] = {
        "path": request.route_path("confirm", token=token),
        "path_to_choose": request.route_path("confirm", token=token, _query={"password": "new"}),
        "is_choosing": isinstance(form, ChoosePasswordForm),
    }
    return page if form is None else page | {"form": form}


def _password_form(request: Request, address: str) -> SignUpPasswordForm | ChoosePasswordForm:
    if request.GET.get("password") == "new":
        return ChoosePasswordForm(request, address)
    return SignUpPasswordForm(request, address)


def _sign_up_of_link(request: Request, session: Session) -> tuple[PendingSignUp | None, TokenState]:
    """The sign-up that the live token in the URL belongs to, else None; and the token's state."""
    secret = request.matchdict["token"]
    token, state = tokens.look_up(session, TokenKind.CONFIRM, secret, request.now)
    if token is None or state is not TokenState.LIVE:
        return None, state
    return token.pending_sign_up, TokenState.WITHDRAWN


def _own_sign_up(
    request: Request, session: Session, sign_up: PendingSignUp
) -> PendingSignUp | None:
    """This browser's last sign-up, if it has the address of ``sign_up``."""
    own_id = request.visitor.pending.get("sign_up")
    own = session.get(PendingSignUp, int(own_id)) if own_id is not None else None
    return own if own is not None and own.address_key == sign_up.address_key else None


def _create_account(
    request: Request, sign_up: PendingSignUp, password_hash: str, locale: str
) -> Account | None:
    """The new account, with the address to which the link was sent. None if there is one."""
    session = request.dbsession
    account: Account | None = session.scalars(
        insert_for(session, Account)
        .values(
            address=sign_up.address,
            address_key=sign_up.address_key,
            password_hash=password_hash,
            locale=locale,
            created_at=request.now,
        )
        .on_conflict_do_nothing(index_elements=["address_key"])
        .returning(Account)
    ).one_or_none()
    session.execute(delete(PendingSignUp).where(PendingSignUp.address_key == sign_up.address_key))
    return account
