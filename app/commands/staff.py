"""``pillarbox staff``: who may open the staff pages, and help for somebody whose phone is lost."""

from pathlib import Path

import click
from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import delete
from sqlalchemy.orm import Session

from app.accounts import emails, recovery_codes, second_factor
from app.accounts.addresses import UnusableAddress, parse_address
from app.accounts.email_kinds import SecondFactorChange
from app.accounts.events import EventKind, record
from app.accounts.models import Account, SignInSession
from app.commands.application import INI, ready_application
from app.mail import EmailService
from app.web.background import background_request

REQUEST_ID = "pillarbox staff"
"""The request id in an event says that a command did it."""


@click.command(short_help="Say who is staff, and help when a phone is lost.")
@click.argument("ini", type=INI)
@click.argument("address")
@click.option("--remove", is_flag=True, help="The account is no longer staff.")
@click.option(
    "--new-second-factor",
    is_flag=True,
    help="Remove the second factor and recovery codes of any account, when its phone is lost.",
)
def staff(ini: Path, address: str, remove: bool, new_second_factor: bool) -> None:
    """Make the account with ADDRESS staff.

    Staff open /staff once they have signed in with a second factor. Make sure that you know who
    asks before you use --new-second-factor: afterwards the password alone signs in.
    """
    if remove and new_second_factor:
        raise click.UsageError("Use either --remove or --new-second-factor, not both.")
    try:
        key = parse_address(address).key
    except UnusableAddress:
        raise click.ClickException(f"{address!r} is not an email address.") from None
    with ready_application(ini) as registry:
        request = background_request(registry, REQUEST_ID)
        with registry.database.transaction(write=True) as session:
            account = Account.find(session, key)
            if account is None:
                sign_up = request.link("sign_up")
                raise click.ClickException(
                    f"There is no account with the address {address}. Sign up at {sign_up} first,"
                    " and confirm the address."
                )
            if new_second_factor:
                done = _remove_second_factor(session, request, account)
            elif remove:
                done = _remove_staff(session, request, account)
            else:
                done = _make_staff(session, request, account)
        click.echo(done)


def _make_staff(session: Session, request: Request, account: Account) -> str:
    if account.is_staff:
        return f"{account.address} is staff already."
    account.is_staff = True
    # A customer's session must not become one of staff.
    _end_sessions(session, account)
    record(session, request, EventKind.STAFF_ON, account.id)
    done = f"{account.address} is staff now."
    if second_factor.find(session, account.id) is None:
        return (
            f"{done} Next: sign in, and set up the second factor at"
            f" {request.link('second_factor')}. Then {request.link('staff')} opens."
        )
    return f"{done} Next: sign in with the second factor. Then {request.link('staff')} opens."


def _remove_staff(session: Session, request: Request, account: Account) -> str:
    if not account.is_staff:
        return f"{account.address} is not staff. Nothing was changed."
    account.is_staff = False
    _end_sessions(session, account)
    record(session, request, EventKind.STAFF_OFF, account.id)
    return f"{account.address} is no longer staff. All sessions of the account have ended."


def _remove_second_factor(session: Session, request: Request, account: Account) -> str:
    if second_factor.find(session, account.id) is None:
        return f"{account.address} has no second factor. Nothing was changed."
    second_factor.turn_off(session, account.id)
    recovery_codes.delete_all(session, account.id)
    _end_sessions(session, account)
    event = record(session, request, EventKind.SECOND_FACTOR_OFF, account.id)
    session.flush()
    message = emails.second_factor_changed(request, account, SecondFactorChange.REMOVED_BY_SHOP)
    _email_service(request.registry, session).send_message(
        message, key=f"second_factor_changed:{event.id}"
    )
    return (
        f"The second factor and the recovery codes of {account.address} are removed, and all"
        " sessions of the account have ended. An email tells its owner. Next: sign in, and set up"
        f" a second factor at {request.link('second_factor')}."
    )


def _end_sessions(session: Session, account: Account) -> None:
    session.execute(delete(SignInSession).where(SignInSession.account_id == account.id))


def _email_service(registry: Registry, session: Session) -> EmailService:
    return EmailService(
        settings=registry.pillarbox.email,
        site=registry.pillarbox.site,
        session=session,
        clock=registry.clock,
        wakeup=registry.email_wakeup,
    )
