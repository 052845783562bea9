"""Sign-in sessions: a random secret in a cookie, and a row in the database (STANDARDS B4).

The look-up has a short transaction of its own, so that a view can hash a password before the
request's transaction begins. ``request.account`` is the signed-in account, and
``request.sign_in_session`` its session.
"""

import logging
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from pyramid.config import Configurator
from pyramid.csrf import new_csrf_token
from pyramid.request import Request
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, contains_eager
from transaction.interfaces import TransientError

from app.accounts.devices import device_of
from app.accounts.models import Account, SignInSession
from app.database import short_transaction
from app.database.housekeeping import delete_rows
from app.web.cookies import read_cookie, set_cookie
from app.web.headers import keep_private
from app.web.request_id import log_account

log = logging.getLogger(__name__)

COOKIE = "pillarbox-session"
IDLE_TIMEOUT = timedelta(days=14)
ABSOLUTE_TIMEOUT = timedelta(days=30)
LAST_USE_PRECISION = timedelta(hours=1)
STAFF_IDLE_TIMEOUT = timedelta(hours=1)
STAFF_ABSOLUTE_TIMEOUT = timedelta(hours=12)
STAFF_LAST_USE_PRECISION = timedelta(minutes=5)
CODE_TIMEOUT = timedelta(minutes=10)
"""How long a sign-in waits for the code of the second factor."""


def begin_session(request: Request, account: Account, *, awaits_code: bool = False) -> None:
    """Sign ``account`` in, with a new session and a new CSRF token. With ``awaits_code``, nobody is
    signed in until ``complete_session``.

    Runs in the request's transaction.
    """
    _delete_row(request)
    secret = secrets.token_urlsafe(32)
    device = device_of(request.headers.get("User-Agent", ""))
    session = SignInSession(
        account_id=account.id,
        created_at=request.now,
        authenticated_at=request.now,
        last_used_at=request.now,
        awaits_code=awaits_code,
        browser=device.browser,
        system=device.system,
        digest=_digest(secret),
    )
    request.dbsession.add(session)
    _send_new_id(request, secret)


def renew_session(request: Request) -> None:
    """Give this browser's session a new id and a new CSRF token, because its customer has entered
    the password again. Runs in the request's transaction.
    """
    _replace_id(request, request.sign_in_session, authenticated_at=request.now)


def complete_session(request: Request, session: SignInSession) -> bool:
    """Sign in the browser whose ``session`` awaited a code, or note that a signed-in customer has
    proved the second factor. The session gets a new id and a new CSRF token. Returns False when the
    session has ended or has another id by now. Runs in the request's transaction.
    """
    return _replace_id(request, session, awaits_code=False, second_factor_at=request.now)


def end_session(request: Request) -> None:
    """Sign this browser out: delete its row and its cookie. Runs in the request's transaction."""
    _delete_row(request)
    _send_cookie(request, "")
    new_csrf_token(request)


def end_all_sessions(request: Request, account_id: int, *, but: int | None = None) -> None:
    """Sign every browser of an account out, but for the session with the id ``but``. Runs in the
    request's transaction.
    """
    others = SignInSession.account_id == account_id
    if but is not None:
        others &= SignInSession.id != but
    request.dbsession.execute(delete(SignInSession).where(others))


def live_sessions(session: Session, account_id: int, now: datetime) -> Sequence[SignInSession]:
    """The sessions in which somebody is signed in to the account, the last used one first."""
    return session.scalars(
        select(SignInSession)
        .join(SignInSession.account)
        .where(
            SignInSession.account_id == account_id,
            ~SignInSession.awaits_code,
            ~_has_expired(now),
        )
        .order_by(SignInSession.last_used_at.desc(), SignInSession.id.desc())
    ).all()


def _replace_id(request: Request, session: SignInSession, **values: Any) -> bool:
    """Whether the session had its id still. Another request may have ended it, or sent the browser
    a new id. Then this one must not send a cookie that opens nothing.
    """
    secret = secrets.token_urlsafe(32)
    replaced = request.dbsession.scalars(
        update(SignInSession)
        .where(SignInSession.id == session.id, SignInSession.digest == session.digest)
        .values(digest=_digest(secret), **values)
        .returning(SignInSession.id)
    ).one_or_none()
    if replaced is None:
        return False
    _send_new_id(request, secret)
    return True


def _send_new_id(request: Request, secret: str) -> None:
    """Send the browser a new id of its session and a new CSRF token."""
    _send_cookie(request, secret)
    new_csrf_token(request)


def _stored_session(request: Request) -> SignInSession | None:
    """The session of the request's cookie, whether it awaits a code or not."""
    if not (secret := read_cookie(request, COOKIE)):
        return None
    try:
        with short_transaction(request.registry, write=False) as session:
            found = session.scalar(
                select(SignInSession)
                .join(SignInSession.account)
                .where(SignInSession.digest == _digest(secret), ~_has_expired(request.now))
                .options(contains_eager(SignInSession.account))
            )
    except (SQLAlchemyError, TransientError):
        # An error page is shown without the account, rather than not at all.
        if request.exception is not None:
            return None
        raise
    if found is None:
        return None
    keep_private(request)
    precision = STAFF_LAST_USE_PRECISION if found.account.is_staff else LAST_USE_PRECISION
    if request.now - found.last_used_at >= precision:
        request.add_finished_callback(_write_last_use)
    return found


def _signed_in_session(request: Request) -> SignInSession | None:
    session: SignInSession | None = request.stored_session
    if session is None or session.awaits_code:
        return None
    log_account(session.account_id)
    return session


def _account(request: Request) -> Account | None:
    session: SignInSession | None = request.sign_in_session
    return session.account if session else None


def _write_last_use(request: Request) -> None:
    # This runs after the request's transaction, because SQLite allows one writer at a time. A
    # failure is only logged: the time of the last use is not worth a failed request.
    try:
        with short_transaction(request.registry, write=True) as session:
            session.execute(
                update(SignInSession)
                .where(SignInSession.id == request.stored_session.id)
                .values(last_used_at=request.now)
            )
    except (SQLAlchemyError, TransientError):
        log.warning("session last use not written", exc_info=True)


def _has_expired(now: datetime) -> ColumnElement[bool]:
    """Whether a session is over. The query joins its account."""
    return or_(
        SignInSession.last_used_at <= now - IDLE_TIMEOUT,
        SignInSession.created_at <= now - ABSOLUTE_TIMEOUT,
        SignInSession.awaits_code & (SignInSession.created_at <= now - CODE_TIMEOUT),
        Account.is_staff
        & or_(
            SignInSession.last_used_at <= now - STAFF_IDLE_TIMEOUT,
            SignInSession.created_at <= now - STAFF_ABSOLUTE_TIMEOUT,
        ),
    )


def _sweep(session: Session, now: datetime, limit: int) -> int:
    over = select(SignInSession.id).join(SignInSession.account).where(_has_expired(now))
    return delete_rows(session, SignInSession.id, over.limit(limit))


def _delete_row(request: Request) -> None:
    if secret := read_cookie(request, COOKIE):
        request.dbsession.execute(
            delete(SignInSession).where(SignInSession.digest == _digest(secret))
        )


def _send_cookie(request: Request, secret: str) -> None:
    keep_private(request)
    request.add_response_callback(
        lambda request, response: set_cookie(request, response, COOKIE, secret, ABSOLUTE_TIMEOUT)
    )


def _digest(secret: str) -> bytes:
    return sha256(secret.encode()).digest()


def includeme(config: Configurator) -> None:
    """Give requests ``request.account``, ``request.sign_in_session``, and
    ``request.stored_session``, which may still await the code of the second factor.
    """
    # Otherwise pyramid_tm looks up the account in every request, even for a static file, to name it
    # in the transaction.
    config.add_settings({"tm.annotate_user": False})
    config.add_request_method(_stored_session, "stored_session", reify=True)
    config.add_request_method(_signed_in_session, "sign_in_session", reify=True)
    config.add_request_method(_account, "account", reify=True)
    config.add_housekeeping("old sessions deleted", _sweep)
