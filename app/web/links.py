"""Absolute links, as emails need them, and the check of a path that comes from a query."""

from typing import Any

from pyramid.config import Configurator
from pyramid.interfaces import IRoutesMapper
from pyramid.request import Request

LONGEST_PATH = 2_000


def link(request: Request, route_name: str, **parts: Any) -> str:
    """The absolute address of a route. It starts with ``site.base_url``, never with the Host
    header.
    """
    base_url = request.registry.pillarbox.site.base_url
    return str(request.route_url(route_name, _app_url=base_url, **parts))


def has_route(request: Request, route_name: str) -> bool:
    """Whether the application has the route. Production lacks the development pages."""
    return request.registry.getUtility(IRoutesMapper).get_route(route_name) is not None


def local_path(value: str | None) -> str | None:
    """``value`` if it is a path on this site, else None (STANDARDS B11).

    A browser reads ``//host`` and ``/\\host`` as other sites and skips control characters, so each
    of these gives None.
    """
    if value is None or len(value) > LONGEST_PATH or not value.startswith("/"):
        return None
    if value.startswith("//") or "\\" in value:
        return None
    return value if all("!" <= character <= "~" for character in value) else None


def includeme(config: Configurator) -> None:
    """Add ``request.link(route_name, **parts)``."""
    config.add_request_method(link, "link")
