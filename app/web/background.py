"""A request that nobody sent, for work that composes emails and makes links outside of the server:
commands, and what runs beside delivery.
"""

from pyramid.registry import Registry
from pyramid.request import Request, apply_request_extensions


def background_request(registry: Registry, name: str) -> Request:
    """A request with ``compose``, ``link`` and ``now``. Its id is ``name``, such as
    ``pillarbox staff``, so that events and emails say who asked for them.
    """
    request = Request.blank("/")
    request.registry = registry
    request.id = name
    apply_request_extensions(request)
    return request
