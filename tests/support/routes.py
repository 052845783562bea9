"""A path for every route that an application has."""

import re

from pyramid.interfaces import IRoutesMapper
from pyramid.router import Router

_VALUES = {
    "subpath": "pillarbox.css",
    "slug": "letter-paper",
    "name": "imprint",
    "id": "1",
    "sha256": "0" * 64,
}
_PLACEHOLDER = re.compile(r"\{(\w+)(?::(?:[^{}]|\{[^{}]*\})*)?\}|\*(\w+)")


def example_paths(app: Router) -> dict[str, str]:
    """A path that leads to each route, by the route's name."""
    mapper = app.registry.getUtility(IRoutesMapper)
    return {route.name: "/" + _filled(route.pattern).lstrip("/") for route in mapper.get_routes()}


def _filled(pattern: str) -> str:
    def value(found: re.Match[str]) -> str:
        return _VALUES.get(found[1] or found[2], "x")

    return _PLACEHOLDER.sub(value, pattern)
