"""Customers' accounts: find one, see what happened to it, end its sessions, and start a reset of
its password. Only the customer can finish a reset.
"""

from typing import Any

from pyramid.httpexceptions import HTTPNotFound, HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config

from app.accounts import emails, second_factor, tokens
from app.accounts.email_kinds import PASSWORD_RESET
from app.accounts.event_words import words_of
from app.accounts.events import EventKind, Outcome, latest, record
from app.accounts.form_fields import AddressField
from app.accounts.models import Account, TokenKind
from app.accounts.permissions import STAFF, STAFF_RECENT
from app.accounts.sessions import end_all_sessions, live_sessions
from app.i18n import formats
from app.mail import addresses
from app.mail.outbox.search import newest_id
from app.mail.outbox.tables import OutboxEmail, State, suppressions
from app.mail.outbox.volumes import volumes
from app.web.forms import Form
from app.web.translation import _, tell

FIND = "staff/find_account.jinja2"
MOST_EVENTS = 100
LONGEST_ID = 9

HELD_BACK = _(
    "No email was sent, because several reset emails went to this customer lately. Ask the customer"
    " to use the link in the newest one, or try again in ${wait}."
)
SENT = _("The reset email is on its way to the customer. Its link works for ${lifetime}.")


class FindForm(Form):
    """The address of a customer's account."""

    email = AddressField(autocomplete="off")


@view_config(route_name="staff", request_method="GET", permission=STAFF, renderer=FIND)
def find_form(request: Request) -> Any:
    """Show the form, and how many emails were asked for lately and what became of them."""
    return _page(request, FindForm(request))


@view_config(route_name="staff", request_method="POST", permission=STAFF, renderer=FIND)
def find(request: Request) -> Any:
    """Redirect to the account. The form is a POST, because an address in a URL stands in logs."""
    form = FindForm(request)
    if form.validate():
        account = Account.find(request.dbsession, form.email.address.key)
        if account is not None:
            return _to_account(request, account)
        form.refuse(form.email, _("There is no account with this address."))
    return _page(request, form)


def _page(request: Request, form: FindForm) -> dict[str, Any]:
    return {
        "form": form,
        "volumes": volumes(request.dbsession, request.now),
        # Reports of email servers tell of failures alone.
        "tells_delivery": request.registry.pillarbox.email.events is not None,
    }


@view_config(
    route_name="staff_account",
    request_method="GET",
    permission=STAFF,
    renderer="staff/account.jinja2",
)
def show(request: Request) -> Any:
    """Show the account, its sessions and its latest events."""
    account = _account_of(request)
    session = request.dbsession
    key = addresses.key_of(account.address)
    return {
        "account": account,
        "newest_email": newest_id(session, key),
        "suppressed": suppressions(session, [key], request.now).get(key),
        "factor": second_factor.find(session, account.id),
        "sessions": live_sessions(session, account.id, request.now),
        "events": latest(session, account.id, request.now, MOST_EVENTS),
        "words_of": words_of,
    }


@view_config(
    route_name="staff_account",
    request_method="POST",
    request_param="act=end_sessions",
    permission=STAFF_RECENT,
)
def end_sessions(request: Request) -> Any:
    """Sign every browser of the account out."""
    account = _account_of(request)
    end_all_sessions(request, account.id)
    _record(request, EventKind.SESSION_END, account)
    tell(request, _("All sessions of this account have ended."))
    return _to_account(request, account)


@view_config(
    route_name="staff_account",
    request_method="POST",
    request_param="act=send_reset",
    permission=STAFF_RECENT,
)
def send_reset(request: Request) -> Any:
    """Send the customer the ordinary reset email. Staff do not see its link."""
    account = _account_of(request)
    with request.dbsession.begin_nested() as savepoint:
        token = tokens.issue(request.dbsession, TokenKind.RESET, request.now, account_id=account.id)
        lifetime = tokens.LIFETIMES[TokenKind.RESET]
        email: OutboxEmail = request.email_service.send_message(
            emails.password_reset(request, account, token.secret, lifetime),
            key=tokens.email_key(token.row),
        )
        state, reason = State(email.state), email.reason or ""
        is_sent = state in (State.QUEUED, State.CAPTURED)
        if not is_sent:
            savepoint.rollback()
    outcome = Outcome.OK if is_sent else Outcome.REFUSED
    _record(request, EventKind.RESET_REQUEST, account, outcome)
    if is_sent:
        tell(request, SENT, lifetime=formats.duration(lifetime, request.locale_name))
    elif state is State.THROTTLED:
        period = PASSWORD_RESET.limit.period
        tell(request, HELD_BACK, wait=formats.duration(period, request.locale_name))
    else:
        tell(request, _("No email was sent: ${reason}."), reason=reason or state)
    return _to_account(request, account)


def _account_of(request: Request) -> Account:
    id = request.matchdict["id"]
    # A longer number does not fit into an id of PostgreSQL.
    account: Account | None = None
    if len(id) <= LONGEST_ID:
        account = request.dbsession.get(Account, int(id))
    if account is None:
        raise HTTPNotFound()
    return account


def _record(
    request: Request, kind: EventKind, account: Account, outcome: Outcome = Outcome.OK
) -> None:
    record(request.dbsession, request, kind, account.id, outcome, staff_id=request.account.id)


def _to_account(request: Request, account: Account) -> HTTPSeeOther:
    return HTTPSeeOther(request.route_path("staff_account", id=account.id))
