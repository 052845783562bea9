"""Reads and sets cookies. The flags of every cookie are set here (STANDARDS B4)."""

from datetime import timedelta

from pyramid.request import Request
from pyramid.response import Response


def cookie_name(request: Request, name: str) -> str:
    """``name`` with the prefix ``__Host-``, which keeps sibling domains from setting the cookie."""
    return f"__Host-{name}" if _uses_https(request) else name


def read_cookie(request: Request, name: str) -> str:
    """The cookie's value; ``""`` when there is none or when the cookies cannot be decoded."""
    try:
        return str(request.cookies.get(cookie_name(request, name), ""))
    except UnicodeDecodeError:
        # malformed_requests answers with the 400 page, and that page reads the cookies as well.
        return ""


def set_cookie(
    request: Request, response: Response, name: str, value: str, max_age: timedelta
) -> None:
    """Set the cookie in ``response``, or delete it when ``value`` is empty.

    A failed request sets no cookie: its transaction was rolled back, so what the cookie says about
    it would be wrong.
    """
    if request.exception is not None:
        return
    response.set_cookie(
        cookie_name(request, name),
        value,
        max_age=max_age if value else timedelta(0),
        path="/",
        secure=_uses_https(request),
        httponly=True,
        samesite="Lax",
    )


def _uses_https(request: Request) -> bool:
    # Over plain http, which only development uses, browsers refuse the Secure flag and the prefix.
    base_url: str = request.registry.pillarbox.site.base_url
    return base_url.startswith("https://")
