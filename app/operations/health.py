"""A supervisor's two questions: ``/healthz`` (does the process answer?) and ``/readyz`` (can it
serve requests?). Neither answer opens a session or sets a cookie.
"""

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response
from pyramid.view import view_config

from app.operations.readiness import NotReady, require_migrated_database


@view_config(route_name="healthz", request_method="GET")
def healthz(request: Request) -> Response:
    """The process answers. The database is not asked, because restarting the server would not bring
    back a database.
    """
    return _answer(200, "ok")


@view_config(route_name="readyz", request_method="GET")
def readyz(request: Request) -> Response:
    """200 when the database can be reached and has this version's tables, else 503 and why."""
    try:
        require_migrated_database(request.registry)
    except NotReady as problem:
        return _answer(503, problem.reason)
    return _answer(200, "ok")


def _answer(status: int, text: str) -> Response:
    response = Response(text + "\n", status=status, content_type="text/plain", charset="utf-8")
    response.cache_control = "no-store"
    return response


def includeme(config: Configurator) -> None:
    """Add ``/healthz`` and ``/readyz``."""
    config.add_route("healthz", "/healthz")
    config.add_route("readyz", "/readyz")
    config.scan(__name__)
