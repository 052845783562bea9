"""The attributes of every cookie (STANDARDS B4): ours alone, over TLS, out of reach of scripts."""

from datetime import timedelta

from pyramid.request import Request
from pyramid.response import Response


def cookie_name(request: Request, name: str) -> str:
    """``name`` as the browser knows it.

    The ``__Host-`` prefix keeps sibling domains from setting the cookie.
    """
    return f"__Host-{name}" if _is_secure(request) else name


def read_cookie(request: Request, name: str) -> str:
    """The cookie's value; empty when there is none or when the cookies cannot be decoded."""
    try:
        value: str = request.cookies.get(cookie_name(request, name), "")
    except UnicodeDecodeError:
        # The request gets its 400 page, and even that page asks who is there.
        return ""
    return value


def set_cookie(
    request: Request, response: Response, name: str, value: str, max_age: timedelta
) -> None:
    """Put the cookie into ``response``; no value takes it back.

    Not when the request failed: then nothing that it did is kept, and so neither is what the cookie
    says about it.
    """
    if request.exception is not None:
        return
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=max_age if value else timedelta(0),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="Lax",
    )


def _is_secure(request: Request) -> bool:
    # Browsers refuse Secure cookies, and so the prefix, from plain http, which only development
    # uses.
    base_url: str = request.registry.pillarbox.site.base_url
    return base_url.startswith("https://")
