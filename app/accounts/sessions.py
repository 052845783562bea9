"""Sign-in sessions: a random secret in a cookie, and a row in the database (STANDARDS B4).

The look-up has a short transaction of its own, so that a view can hash a password before the
request's transaction begins. A view with ``permission=SIGNED_IN`` requires an account and reads it
from ``request.account``.
"""

import logging
import secrets
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from pyramid.config import Configurator
from pyramid.csrf import new_csrf_token
from pyramid.request import Request
from pyramid.security import Allowed, Denied
from sqlalchemy import ColumnElement, delete, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import joinedload
from transaction.interfaces import TransientError

from app.accounts.models import Account, SignInSession
from app.database import short_transaction
from app.web.cookies import read_cookie, set_cookie
from app.web.headers import keep_private

log = logging.getLogger(__name__)

SIGNED_IN = "signed_in"
COOKIE = "pillarbox-session"
IDLE_TIMEOUT = timedelta(days=14)
ABSOLUTE_TIMEOUT = timedelta(days=30)
LAST_USE_PRECISION = timedelta(hours=1)


class SessionSecurityPolicy:
    """Pyramid's security policy on top of our sessions.

    It has no ``remember`` and ``forget``: ``begin_session`` and ``end_session`` set the cookie.
    """

    def identity(self, request: Request) -> Account | None:
        """The signed-in account."""
        account: Account | None = request.account
        return account

    def authenticated_userid(self, request: Request) -> str | None:
        """The account's id."""
        return str(request.account.id) if request.account else None

    def permits(self, request: Request, context: Any, permission: str) -> Allowed | Denied:
        """Allow ``signed_in``, the only permission, to a signed-in account."""
        if permission == SIGNED_IN and request.account:
            return Allowed("signed in")
        return Denied("not signed in")


def begin_session(request: Request, account: Account) -> None:
    """Sign ``account`` in, with a new session and a new CSRF token.

    Runs in the request's transaction.
    """
    _delete_row(request)
    secret = secrets.token_urlsafe(32)
    now = request.now
    request.dbsession.execute(
        delete(SignInSession).where(SignInSession.account_id == account.id, _has_expired(now))
    )
    request.dbsession.add(
        SignInSession(
            digest=_digest(secret),
            account_id=account.id,
            created_at=now,
            authenticated_at=now,
            last_used_at=now,
        )
    )
    _send_cookie(request, secret)
    new_csrf_token(request)


def end_session(request: Request) -> None:
    """Sign this browser out: delete its row and its cookie. Runs in the request's transaction."""
    _delete_row(request)
    _send_cookie(request, "")
    new_csrf_token(request)


def end_all_sessions(request: Request, account_id: int) -> None:
    """Sign every browser of an account out. Runs in the request's transaction."""
    request.dbsession.execute(delete(SignInSession).where(SignInSession.account_id == account_id))


def _session(request: Request) -> SignInSession | None:
    if not (secret := read_cookie(request, COOKIE)):
        return None
    try:
        with short_transaction(request.registry, write=False) as session:
            found = session.scalar(
                select(SignInSession)
                .where(SignInSession.digest == _digest(secret), ~_has_expired(request.now))
                .options(joinedload(SignInSession.account))
            )
    except (SQLAlchemyError, TransientError):
        # An error page is shown without the account, rather than not at all.
        if request.exception is not None:
            return None
        raise
    if found is None:
        return None
    keep_private(request)
    if request.now - found.last_used_at >= LAST_USE_PRECISION:
        request.add_finished_callback(_write_last_use)
    return found


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
                .where(SignInSession.id == request.sign_in_session.id)
                .values(last_used_at=request.now)
            )
    except (SQLAlchemyError, TransientError):
        log.warning("session last use not written", exc_info=True)


def _has_expired(now: datetime) -> ColumnElement[bool]:
    return or_(
        SignInSession.last_used_at <= now - IDLE_TIMEOUT,
        SignInSession.created_at <= now - ABSOLUTE_TIMEOUT,
    )


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
    """Give requests ``request.account``, and views the permission ``signed_in``."""
    # Otherwise pyramid_tm looks up the account in every request, even for a static file, to name it
    # in the transaction.
    config.add_settings({"tm.annotate_user": False})
    config.set_security_policy(SessionSecurityPolicy())
    config.add_request_method(_session, "sign_in_session", reify=True)
    config.add_request_method(_account, "account", reify=True)
