"""The button "Send the email again" on the pages "Check your inbox" (STANDARDS B7, C7)."""

from datetime import timedelta

from pyramid.request import Request

from app.accounts.rate_limits import SEND_AGAIN
from app.web import limits
from app.web.translation import _

SENDING_AGAIN = _(
    "We are sending another email, unless too many were requested for this address. In that case,"
    " use the link in one of those."
)
"""True whatever the limits or the relay do with the email."""


def wait_to_send_again(request: Request) -> timedelta | None:
    """Count one press of the button in this browser. None when it may send; else how long to wait,
    and the response's status becomes 429.

    Call it before any look-up, so that it answers for every address alike.
    """
    who = f"{request.matched_route.name} {request.visitor.name_browser()}"
    wait = limits.use(request.registry, SEND_AGAIN, who, request.now)
    if wait is not None:
        request.response.status_int = 429
        request.response.headers["Retry-After"] = limits.seconds(wait)
    return wait
