"""Links with a full stop, bracket, comma, space or slash that a mail program took for a part of
them lead to the page that they meant. Secret links handle this themselves (`app.accounts.tokens`).
"""

import re
from collections.abc import Callable
from urllib.parse import quote

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.interfaces import IRoutesMapper
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW

from app.web.links import local_path

GLUED = re.compile(r"[^\w-]+\Z")

Handler = Callable[[Request], Response]


def glued_links_tween(handler: Handler, registry: Registry) -> Handler:
    """Redirect a GET that found nothing, if there is a page without the characters at its end."""

    def tween(request: Request) -> Response:
        response = handler(request)
        if response.status_int != 404 or request.method not in {"GET", "HEAD"}:
            return response
        path = _path_without_glue(request, registry)
        return HTTPSeeOther(path) if path is not None else response

    return tween


def _path_without_glue(request: Request, registry: Registry) -> str | None:
    """A path that has a route, or None."""
    try:
        meant = GLUED.sub("", request.path_info)
    except UnicodeDecodeError:
        return None
    # A browser reads //host as another site, so local_path refuses it.
    path = local_path(quote(request.script_name + meant))
    if meant == request.path_info or path is None:
        return None
    mapper = registry.getUtility(IRoutesMapper)
    return path if mapper(Request.blank(quote(meant)))["route"] is not None else None


def includeme(config: Configurator) -> None:
    """Add the tween above the one that turns exceptions into error pages."""
    config.add_tween("app.web.glued_links.glued_links_tween", over=EXCVIEW)
