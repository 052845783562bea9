"""What happened to accounts: one row for each sign-in, failure, refusal, change and act of staff.

The owner sees the events of the account at ``/account/sessions``. They hold no address and nothing
about the network, and are deleted after 180 days.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from pyramid.request import Request
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.accounts.models import AccountEvent
from app.database.housekeeping import delete_rows

RETENTION = timedelta(days=180)


class EventKind(StrEnum):
    """What happened."""

    SIGN_UP = "sign_up"
    SIGN_IN = "sign_in"
    CODE = "code"
    """A code of the second factor was entered."""
    RECOVERY_CODE = "recovery_code"
    PASSWORD_CHECK = "password_check"  # noqa: S105 (an event's name)
    """A signed-in customer entered the password again."""
    SIGN_OUT = "sign_out"
    SESSION_END = "session_end"
    """Somebody ended a session of another browser, or all of them."""
    RESET_REQUEST = "reset_request"
    PASSWORD_RESET = "password_reset"  # noqa: S105 (an event's name)
    PASSWORD_CHANGE = "password_change"  # noqa: S105 (an event's name)
    EMAIL_CHANGE_REQUEST = "email_change_request"
    EMAIL_CHANGE = "email_change"
    ADDRESS_RETRY = "address_retry"
    """The owner asked us to try the address again, from which emails had come back."""
    PREFERENCES = "preferences"
    SECOND_FACTOR_ON = "second_factor_on"
    SECOND_FACTOR_OFF = "second_factor_off"
    NEW_RECOVERY_CODES = "new_recovery_codes"
    LINK = "link"
    """The page of a link from an email was opened. Only its refusal is recorded."""
    EXPORT = "export"
    DELETION = "deletion"
    STAFF_ON = "staff_on"
    STAFF_OFF = "staff_off"


class Outcome(StrEnum):
    """How it ended."""

    OK = "ok"
    CODE_NEEDED = "code_needed"
    """The password of a sign-in was right. Nobody is signed in before the event of the code."""
    FAILED = "failed"
    """A wrong password or code."""
    REFUSED = "refused"
    """A limit was reached. Only the first refusal of a period is recorded."""


def record(
    session: Session,
    request: Request,
    kind: EventKind,
    account_id: int | None,
    outcome: Outcome = Outcome.OK,
    *,
    staff_id: int | None = None,
) -> AccountEvent:
    """Write an event in the session's transaction, and return it. ``account_id`` is None when an
    address has no account. ``staff_id`` is the account of a member of staff who acted for the
    owner.
    """
    event = AccountEvent(
        kind=kind,
        account_id=account_id,
        staff_id=staff_id,
        at=request.now,
        request_id=request.id,
        outcome=outcome,
    )
    session.add(event)
    return event


def latest(
    session: Session, account_id: int, now: datetime, limit: int | None = None
) -> Sequence[AccountEvent]:
    """The account's events of the last ``RETENTION``, the newest first."""
    return session.scalars(
        select(AccountEvent)
        .where(AccountEvent.account_id == account_id, AccountEvent.at >= now - RETENTION)
        .order_by(AccountEvent.id.desc())
        .limit(limit)
    ).all()


def sweep(session: Session, now: datetime, limit: int) -> int:
    """Delete events that are older than ``RETENTION``, for housekeeping."""
    old = select(AccountEvent.id).where(AccountEvent.at < now - RETENTION).limit(limit)
    return delete_rows(session, AccountEvent.id, old)
