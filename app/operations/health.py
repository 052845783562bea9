"""What a supervisor asks: does the process answer, and can it serve?

Neither answer opens a session or sets a cookie.
"""

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.operations.readiness import NotReady, require_tables


@view_config(route_name="healthz", request_method="GET")
def healthz(request: Request) -> Response:
    """The process answers. It asks nobody else, so a database that is away restarts no server."""
    return _answer(200, "ok")


@view_config(route_name="readyz", request_method="GET")
def readyz(request: Request) -> Response:
    """Requests can be served: the database can be reached and has this version's tables. 503 and
    the reason otherwise.
    """
    try:
        require_tables(request.registry)
    except NotReady as problem:
        return _answer(503, problem.reason)
    return _answer(200, "ok")


def _answer(status: int, word: str) -> Response:
    response = Response(word + "\n", status=status, content_type="text/plain", charset="utf-8")
    response.cache_control = "no-store"
    return response


def includeme(config: Configurator) -> None:
    """Add ``/healthz`` and ``/readyz``."""
    config.include("app.database")
    config.add_route("healthz", "/healthz")
    config.add_route("readyz", "/readyz")
    config.scan(__name__)
