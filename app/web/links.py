"""Links that leave the site in an email, and paths that come in from a query."""

from typing import Any
from urllib.parse import urlsplit

from pyramid.config import Configurator
from pyramid.events import NewRequest
from pyramid.interfaces import IRoutesMapper
from pyramid.request import Request

LONGEST_PATH = 2_000


def link(request: Request, route_name: str, **parts: Any) -> str:
    """The absolute address of a route, on ``site.base_url``, whatever the Host header says."""
    address: str = request.route_url(
        route_name, _app_url=request.registry.pillarbox.site.base_url, **parts
    )
    return address


def has_route(request: Request, route_name: str) -> bool:
    """Whether the application has the route; production lacks the development pages."""
    return request.registry.getUtility(IRoutesMapper).get_route(route_name) is not None


def local_path(value: str | None) -> str | None:
    """``value`` if it is a path on this site, else None (STANDARDS B11).

    A browser takes ``//host`` and ``/\\host`` for other sites and skips control characters, so none
    of these passes.
    """
    if value is None or len(value) > LONGEST_PATH or not value.startswith("/"):
        return None
    if value.startswith("//") or "\\" in value:
        return None
    return value if all("!" <= character <= "~" for character in value) else None


def _take_scheme_from_base_url(event: NewRequest) -> None:
    # A proxy that speaks HTTPS for us speaks HTTP to us, and a redirect must not leave HTTPS.
    base_url = event.request.registry.pillarbox.site.base_url
    event.request.environ["wsgi.url_scheme"] = urlsplit(base_url).scheme


def includeme(config: Configurator) -> None:
    """Give requests ``request.link(route_name, **parts)``, and redirects the scheme of
    ``site.base_url``.
    """
    config.add_subscriber(_take_scheme_from_base_url, NewRequest)
    config.add_request_method(link, "link")
