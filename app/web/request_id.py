"""``request.id`` ties together what one request leaves behind: rows of the outbox, log lines, the
error page, and the response's ``X-Request-ID``.
"""

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW, INGRESS

from app.web.proxies import is_from_trusted_proxy

HEADER = "X-Request-ID"
_KEPT_IN = "pillarbox.request_id"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-.*")
"""W3C Trace Context, level 1: version, id of the trace, id of the caller, flags."""

_current: ContextVar[str] = ContextVar("request_id", default="")
_account: ContextVar[int | None] = ContextVar("account", default=None)

Handler = Callable[[Request], Response]


def request_id_tween(handler: Handler, registry: Registry) -> Handler:
    """Give the request its id before anything is logged."""

    def tween(request: Request) -> Response:
        # The environ stays when the request is tried again, and with it the id.
        request.id = request.environ.setdefault(_KEPT_IN, _id_for(request))
        _current.set(request.id)
        _account.set(None)
        request.add_finished_callback(_forget)
        return handler(request)

    return tween


def _forget(request: Request) -> None:
    _current.set("")
    _account.set(None)


def log_account(account_id: int) -> None:
    """Let the log lines of this request name the account that is signed in."""
    _account.set(account_id)


def _id_for(request: Request) -> str:
    """The id that a trusted proxy sent, else a new one."""
    if is_from_trusted_proxy(request):
        sent = request.environ.get("HTTP_X_REQUEST_ID", "")
        if _ID.fullmatch(sent):
            return str(sent)
        if trace := _TRACEPARENT.fullmatch(request.environ.get("HTTP_TRACEPARENT", "")):
            return trace[1]
    return uuid.uuid4().hex


def _add_header(event: NewResponse) -> None:
    event.response.headers[HEADER] = event.request.id


class RecordOfRequest(logging.LogRecord):
    """A log record whose first line ends with the id of the request that it was logged in, and of
    the account that was signed in.
    """

    def __init__(self, name: str, level: int, path: str, line: int, msg: Any, *rest: Any) -> None:
        if (request_id := _current.get()) and name.partition(".")[0] == "app":
            first, newline, others = str(msg).partition("\n")
            signed_in = _account.get()
            # A line about another account names that one.
            if signed_in is not None and " account=" not in first:
                first = f"{first} account={signed_in}"
            msg = f"{first} request={request_id}{newline}{others}"
        super().__init__(name, level, path, line, msg, *rest)


def includeme(config: Configurator) -> None:
    """Give requests ``request.id``. The tween stands above the one that commits, so that the lines
    of a commit have the id too.
    """
    logging.setLogRecordFactory(RecordOfRequest)
    config.add_tween(
        "app.web.request_id.request_id_tween",
        under=INGRESS,
        over=("pyramid_tm.tm_tween_factory", EXCVIEW),
    )
    config.add_subscriber(_add_header, NewResponse)
