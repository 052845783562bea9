"""The button "Send the email again" on the pages "Check your inbox" (STANDARDS B7, C7)."""

from datetime import timedelta
from math import ceil

from pyramid.request import Request

from app.web import limits

COUNT, PERIOD = 3, timedelta(minutes=10)


def wait_to_send_again(request: Request) -> timedelta | None:
    """Count one press of the button in this browser. None when it may send; else how long to wait,
    and the response's status becomes 429.

    Call it before any look-up, so that it answers for every address alike.
    """
    limit = limits.Limit(f"send again: {request.matched_route.name}", COUNT, PERIOD)
    wait = limits.use(request.registry, limit, request.visitor.name_browser(), request.now)
    if wait is not None:
        request.response.status_int = 429
        request.response.headers["Retry-After"] = str(ceil(wait.total_seconds()))
    return wait
