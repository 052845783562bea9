"""Refuses requests that no form and no link of ours makes (STANDARDS B11, B12).

A path, query, form or cookie that cannot be decoded, a repeated field, an array field, an uploaded
file and a NUL character get a 400 page. A body over 1 MB gets a 413 page.
"""

from collections.abc import Callable, Iterator
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPRequestEntityTooLarge
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW

LARGEST_BODY = 1024 * 1024
"""Octets."""


class RequestInMemory(Request):
    """Keeps its body in memory. WebOb writes a body over 10 KB to a temporary file, and leaves it
    to the garbage collector to close the file. The server takes no body over 2 MB.
    """

    request_body_tempfile_limit = 2 * LARGEST_BODY + 1


Handler = Callable[[Request], Response]


def malformed_requests_tween(handler: Handler, registry: Registry) -> Handler:
    """Refuse malformed requests and pass all others to ``handler``."""

    def tween(request: Request) -> Response:
        if (request.content_length or 0) > LARGEST_BODY:
            raise HTTPRequestEntityTooLarge()
        # Reading the fields in another character set, WebOb raises a DeprecationWarning.
        if request.charset != "UTF-8":
            raise HTTPBadRequest()
        try:
            fields = list(_decoded_fields(request))
        # RecursionError: the parts of a form can be nested too deeply for the parser.
        except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
            raise HTTPBadRequest() from error
        names = [name for name, _ in fields]
        if len(set(names)) < len(names):
            raise HTTPBadRequest()
        if not all(_is_single_text(name, value) for name, value in fields):
            raise HTTPBadRequest()
        return handler(request)

    return tween


def _decoded_fields(request: Request) -> Iterator[tuple[str, Any]]:
    """The name and value of the path and of each field of query and form. Raises when one of them,
    a cookie or a date of a conditional request cannot be decoded.
    """
    yield "path", request.path_info
    yield from (("query " + name, value) for name, value in request.GET.items())
    yield from (("form " + name, value) for name, value in request.POST.items())
    dict(request.cookies)
    _ = request.if_modified_since, request.if_unmodified_since


def _is_single_text(name: str, value: Any) -> bool:
    if not isinstance(value, str) or "\0" in name + value or "[" in name:
        return False
    try:
        # A part of a form can name a character set that decodes to half a surrogate pair.
        (name + value).encode()
    except UnicodeEncodeError:
        return False
    return True


def includeme(config: Configurator) -> None:
    """Add the tween below the one that turns exceptions into error pages."""
    config.set_request_factory(RequestInMemory)
    config.add_tween("app.web.malformed_requests.malformed_requests_tween", under=EXCVIEW)
