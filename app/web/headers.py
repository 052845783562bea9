"""The headers that every response carries (STANDARDS B10). A header that a view sets wins."""

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

ON_EVERY_RESPONSE = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
# A page holds the visitor's basket and form token, so no cache but the browser's may keep it.
ON_PAGES = {"Cache-Control": "private, no-cache"}
ON_PRIVATE_PAGES = {"Cache-Control": "no-store"}
OVER_HTTPS = {"Strict-Transport-Security": "max-age=31536000"}


def keep_private(request: Request) -> None:
    """Forbid every cache, the browser's too, to store the response."""
    request.is_private = True


def _add_headers(event: NewResponse) -> None:
    request, response = event.request, event.response
    headers = dict(ON_EVERY_RESPONSE)
    headers |= ON_PRIVATE_PAGES if request.is_private or _has_token(request) else ON_PAGES
    if _has_token(request):
        headers["Referrer-Policy"] = "no-referrer"
    if request.registry.pillarbox.site.base_url.startswith("https://"):
        headers |= OVER_HTTPS
    for name, value in headers.items():
        response.headers.setdefault(name, value)


def _has_token(request: Request) -> bool:
    # Every route whose address is a secret link has a {token} in its pattern.
    return "token" in (request.matchdict or {})


def includeme(config: Configurator) -> None:
    """Add the headers to every response."""
    config.add_request_method(lambda request: False, "is_private", reify=True)
    config.add_subscriber(_add_headers, NewResponse)
