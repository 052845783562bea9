"""Who may open a page: ``SIGNED_IN``, ``RECENT`` (the password was entered within ten minutes),
``STAFF`` (with a second factor) and ``STAFF_RECENT`` (both)::

    @view_config(route_name="account", permission=SIGNED_IN)
"""

import logging
from datetime import timedelta
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPNotFound
from pyramid.request import Request
from pyramid.security import Allowed, Denied

from app.accounts.models import Account, SignInSession

log = logging.getLogger(__name__)

SIGNED_IN = "signed_in"
RECENT = "recent"
"""For what a stranger at an unlocked device must not do (STANDARDS B9). Without it, the page that
asks for the password comes first. Its GET and POST have one path.
"""
STAFF = "staff"
"""For everybody else the page does not exist."""
STAFF_RECENT = "staff_recent"
"""For what staff do to a customer's account. As with ``RECENT``, GET and POST have one path."""
RECENT_FOR = timedelta(minutes=10)


class PasswordNeeded(Denied):
    """The customer is signed in, but entered the password too long ago."""


class AccountSecurityPolicy:
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
        """Whether the request's session has the permission. Raises ``HTTPNotFound`` for
        ``STAFF`` and ``STAFF_RECENT`` without a second factor.
        """
        session: SignInSession | None = request.sign_in_session
        if permission in (STAFF, STAFF_RECENT) and not request.is_by_staff:
            if session is not None:
                log.warning("staff page refused: account=%d", session.account_id)
            raise HTTPNotFound()
        if session is None:
            return Denied("not signed in")
        is_recent = request.now - session.authenticated_at < RECENT_FOR
        if permission in (RECENT, STAFF_RECENT) and not is_recent:
            return PasswordNeeded("the password was entered too long ago")
        return Allowed("signed in")


def _is_by_staff(request: Request) -> bool:
    session: SignInSession | None = request.sign_in_session
    return session is not None and session.account.is_staff and session.second_factor_at is not None


def includeme(config: Configurator) -> None:
    """Set the policy. Requests get ``request.is_by_staff``."""
    config.set_security_policy(AccountSecurityPolicy())
    config.add_request_method(_is_by_staff, "is_by_staff", reify=True)
