"""The headers that every response carries (STANDARDS B10).

A view overrides one by setting it itself.
"""

from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.request import Request

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "img-src 'self'",
        "script-src 'self'",
        "style-src 'self'",
    ]
)

EVERYWHERE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# Pages hold the visitor's basket and form token, so no cache between the shop and the browser keeps
# them.
PAGES = {"Cache-Control": "private, no-cache"}
PRIVATE = {"Cache-Control": "no-store"}
OVER_TLS = {"Strict-Transport-Security": "max-age=31536000"}


def keep_private(request: Request) -> None:
    """Let nobody store the response: it is for somebody who is signed in."""
    request.is_private = True


def _add_headers(event: NewResponse) -> None:
    request, response = event.request, event.response
    headers = dict(EVERYWHERE)
    headers |= PRIVATE if request.is_private or _has_token(request) else PAGES
    if _has_token(request):
        headers["Referrer-Policy"] = "no-referrer"
    if request.registry.pillarbox.site.base_url.startswith("https://"):
        headers |= OVER_TLS
    for name, value in headers.items():
        response.headers.setdefault(name, value)


def _has_token(request: Request) -> bool:
    # Every address that opens something is a route with a {token} in it.
    return "token" in (request.matchdict or {})


def includeme(config: Configurator) -> None:
    """Add the headers to every response."""
    config.add_request_method(lambda request: False, "is_private", reify=True)
    config.add_subscriber(_add_headers, NewResponse)
