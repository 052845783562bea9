"""Turns away what no form and no link of ours sends (STANDARDS B11, B12).

Undecodable paths, queries, forms and cookies, repeated or array fields, uploaded files and NUL
characters get a 400 page, bodies over 1 MB a 413 page.
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

Handler = Callable[[Request], Response]


def well_formed_tween(handler: Handler, registry: Registry) -> Handler:
    """Let only well-formed requests through to ``handler``."""

    def tween(request: Request) -> Response:
        if (request.content_length or 0) > LARGEST_BODY:
            raise HTTPRequestEntityTooLarge()
        # WebOb raises a warning as an error for any other character set.
        if request.charset != "UTF-8":
            raise HTTPBadRequest()
        try:
            fields = list(_read_everything(request))
        # A form may be nested more deeply than its reader can follow.
        except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
            raise HTTPBadRequest() from error
        names = [name for name, _ in fields]
        if len(set(names)) < len(names):
            raise HTTPBadRequest()
        if not all(_is_plain(name, value) for name, value in fields):
            raise HTTPBadRequest()
        return handler(request)

    return tween


def _read_everything(request: Request) -> Iterator[tuple[str, Any]]:
    """The decoded path, query and form; whatever cannot be decoded raises, and so do a cookie and
    the dates that a response is compared with.
    """
    yield "path", request.path_info
    yield from (("query " + name, value) for name, value in request.GET.items())
    yield from (("form " + name, value) for name, value in request.POST.items())
    dict(request.cookies)
    _ = request.if_modified_since, request.if_unmodified_since


def _is_plain(name: str, value: Any) -> bool:
    if not isinstance(value, str) or "\0" in name + value or "[" in name:
        return False
    try:
        # A part of a form can name a character set in which half a character can be written.
        (name + value).encode()
    except UnicodeEncodeError:
        return False
    return True


def includeme(config: Configurator) -> None:
    """Put the tween where its errors become pages."""
    config.add_tween("app.web.malformed_requests.well_formed_tween", under=EXCVIEW)
