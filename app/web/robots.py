"""``/robots.txt``: which pages search engines leave out."""

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response


def robots(request: Request) -> Response:
    """Name the paths that are of no use in a search engine, because each visitor sees them
    differently.
    """
    paths = sorted(request.registry.private_paths)
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in paths)]
    return Response("\n".join(lines) + "\n", content_type="text/plain", charset="utf-8")


def _add_private_paths(config: Configurator, *paths: str) -> None:
    """Each of ``paths`` stands for all paths that begin with it."""
    config.registry.private_paths.update(paths)


def includeme(config: Configurator) -> None:
    """Serve ``/robots.txt``. Rooms add to it with ``config.add_private_paths("/basket")``."""
    config.registry.private_paths = set()
    config.add_directive("add_private_paths", _add_private_paths)
    config.add_route("robots", "/robots.txt")
    config.add_view(robots, route_name="robots", request_method="GET")
