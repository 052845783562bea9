"""Refuses a method that a route has no view for with 405 (RFC 9110 15.5.6). The header Allow names
the methods that it has.

Pyramid alone answers 404, because no view matches, and asks a POST for its CSRF token first.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from pyramid.config import Configurator
from pyramid.events import ApplicationCreated, BeforeTraversal
from pyramid.httpexceptions import HTTPMethodNotAllowed
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.static import static_view

WITH_A_MEANING_FOR_PAGES = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""A request with another method, such as TRACE, asks for nothing that a path could have."""


def _read_views(event: ApplicationCreated) -> None:
    """Read from the registered views which methods each route has."""
    registry = event.app.registry
    allowed: dict[str, set[str]] = defaultdict(set)
    for view in registry.introspector.get_category("views"):
        route, methods = view["introspectable"]["route_name"], _methods_of(view["introspectable"])
        if route is not None:
            allowed[route] |= methods
    registry.allowed_methods = {route: frozenset(methods) for route, methods in allowed.items()}


def _methods_of(view: Mapping[str, Any]) -> frozenset[str]:
    if isinstance(view["callable"], static_view):
        return frozenset({"GET", "HEAD"})
    methods: str | Iterable[str] | None = view["request_methods"]
    if methods is None:
        return WITH_A_MEANING_FOR_PAGES
    named = frozenset([methods] if isinstance(methods, str) else methods)
    return named | {"HEAD"} if "GET" in named else named


def _refuse_other_methods(event: BeforeTraversal) -> None:
    """Raise ``HTTPMethodNotAllowed`` before a view's CSRF check and permission are looked at. A
    path without a route gets its 404 from Pyramid.
    """
    request: Request = event.request
    registry: Registry = request.registry
    route = request.matched_route
    if route is not None and route.name in registry.allowed_methods:
        allowed: frozenset[str] = registry.allowed_methods[route.name]
    elif request.method in WITH_A_MEANING_FOR_PAGES:
        return
    else:
        allowed = frozenset().union(*registry.allowed_methods.values())
    if request.method not in allowed:
        raise HTTPMethodNotAllowed(headers={"Allow": ", ".join(sorted(allowed))})


def includeme(config: Configurator) -> None:
    """Compare each request's method with the views of its route."""
    config.add_subscriber(_read_views, ApplicationCreated)
    config.add_subscriber(_refuse_other_methods, BeforeTraversal)
