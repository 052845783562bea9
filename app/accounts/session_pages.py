"""``/account/sessions``: where the account is signed in, and what happened to it lately. The
customer can end sessions here (STANDARDS B4).
"""

import re
from typing import Any

from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.view import view_config
from sqlalchemy import delete

from app.accounts.event_words import words_of
from app.accounts.events import RETENTION, EventKind, latest, record
from app.accounts.models import SignInSession
from app.accounts.permissions import RECENT
from app.accounts.sessions import end_all_sessions, live_sessions
from app.web.translation import _, tell

PAGE = "accounts/sessions.jinja2"
_ID = re.compile("[0-9]{1,9}")
EVENTS = 50
"""How many events the page shows."""


@view_config(route_name="sessions", request_method="GET", permission=RECENT, renderer=PAGE)
def sessions(request: Request) -> Any:
    """Show the sessions, the last used one first, and the newest events."""
    session, account_id = request.dbsession, request.account.id
    events = latest(session, account_id, request.now, EVENTS)
    return {
        "sessions": live_sessions(session, account_id, request.now),
        "retention": RETENTION,
        "events": [(event, words_of(event)) for event in events],
    }


@view_config(route_name="sessions", request_method="POST", permission=RECENT)
def end_sessions(request: Request) -> Any:
    """End the session whose id is in the field ``session``, or all others when it says ``all``. A
    session of another account, or one that has ended already, changes nothing.
    """
    which = request.POST.get("session", "")
    session, account_id = request.dbsession, request.account.id
    if which == "all":
        end_all_sessions(request, account_id, but=request.sign_in_session.id)
        record(session, request, EventKind.SESSION_END, account_id)
        told = _("You have been signed out on all other devices.")
    else:
        ended = session.scalars(
            delete(SignInSession)
            .where(
                SignInSession.id == (int(which) if _ID.fullmatch(which) else 0),
                SignInSession.account_id == account_id,
                SignInSession.id != request.sign_in_session.id,
            )
            .returning(SignInSession.id)
        ).one_or_none()
        if ended is not None:
            record(session, request, EventKind.SESSION_END, account_id)
            told = _("That device has been signed out.")
        else:
            told = _("That device was signed out before.")
    tell(request, told)
    return HTTPSeeOther(request.route_path("sessions"))
