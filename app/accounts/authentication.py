"""Checking a password, within the limits that make guessing one hopeless (STANDARDS B3, B7)."""

from typing import Any

from pyramid.request import Request
from pyramid.view import exception_view_config
from sqlalchemy import select

from app.accounts import known_browsers, rate_limits, second_factor
from app.accounts.events import EventKind, Outcome, record
from app.accounts.models import Account
from app.accounts.passwords import hash_password, needs_new_hash, verify_password
from app.database import short_transaction
from app.web import limits
from app.web.errors import limit_reached
from app.web.limits import Limit, LimitReached


class TooManyTries(LimitReached):
    """Too many passwords were tried."""


def authenticate(
    request: Request,
    address_key: str,
    password: str,
    kind: EventKind = EventKind.SIGN_IN,
    *,
    new_password: str | None = None,
) -> Account | None:
    """The account of ``address_key`` (``Address.key``) if the password is right, else None. The
    account belongs to the request's transaction.

    An unknown address takes the same statements and the same time as a wrong password. Raises
    ``TooManyTries``. Call it before the request's transaction begins. It hashes the password again
    if its hash was made with older parameters. ``new_password`` takes the place of the right one.
    """
    failures = _failures(request, address_key)
    _count_try(request, address_key, failures, kind)
    # This short transaction ends before the slow hashing begins.
    with short_transaction(request.registry, write=False) as session:
        found = Account.find(session, address_key)
    is_right = verify_password(password, found.password_hash if found else None)
    if found is None or not is_right:
        found_id = found.id if found else None
        record(request.dbsession, request, kind, found_id, Outcome.FAILED)
        return None
    verified_hash = found.password_hash
    new_hash = verified_hash
    if new_password is not None or needs_new_hash(verified_hash):
        new_hash = hash_password(password if new_password is None else new_password)
    # A right password clears the address's count, and takes back only its own use of all others.
    limits.clear(
        request.registry,
        forget=[use for use in failures if use[0] is not rate_limits.FAILURES_OF_ALL],
        give_back=[use for use in failures if use[0] is rate_limits.FAILURES_OF_ALL],
    )
    # Nobody is signed in if the password was changed while it was verified.
    account: Account | None = request.dbsession.scalar(
        select(Account)
        .where(Account.id == found.id, Account.password_hash == verified_hash)
        .with_for_update()
    )
    if account is not None:
        account.password_hash = new_hash
        needs_code = kind is EventKind.SIGN_IN and second_factor.find(request.dbsession, account.id)
        outcome = Outcome.CODE_NEEDED if needs_code else Outcome.OK
        record(request.dbsession, request, kind, account.id, outcome)
    return account


def _failures(request: Request, address_key: str) -> list[tuple[Limit, str]]:
    """The limits that a wrong password counts for. Every try counts until it proves right, so that
    many tries at once do not pass a limit.
    """
    if known_browsers.is_known(request, address_key):
        browser = request.visitor.name_browser()
        return [(rate_limits.FAILURES_OF_KNOWN_BROWSER, f"{address_key} {browser}")]
    return [
        (rate_limits.FAILURES_OF_ADDRESS, address_key),
        (rate_limits.FAILURES_OF_ALL, ""),
    ]


def _count_try(
    request: Request, address_key: str, failures: list[tuple[Limit, str]], kind: EventKind
) -> None:
    of_network = (rate_limits.SIGN_INS, limits.network_of(request))
    refusal = limits.use_all(request.registry, [of_network, *failures], request.now)
    if refusal is None:
        return
    if refusal.is_first:
        with short_transaction(request.registry, write=True) as session:
            account_id = session.scalar(
                select(Account.id).where(Account.address_key == address_key)
            )
            record(session, request, kind, account_id, Outcome.REFUSED)
    raise TooManyTries(refusal.wait)


@exception_view_config(TooManyTries, renderer="accounts/too_many_tries.jinja2")
def too_many_tries(error: TooManyTries, request: Request) -> Any:
    """The page of somebody who tried too many passwords. A reset stays possible."""
    return limit_reached(error, request)
