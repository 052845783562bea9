"""The headers that every response carries (STANDARDS B10). A header that a view sets wins."""

from pyramid.config import Configurator
from pyramid.events import NewResponse
from pyramid.request import Request

from app.settings.declarations import Site


def content_security_policy(*form_targets: str) -> str:
    """The policy of a page. ``form_targets`` are the origins of other sites to which the answer to
    one of its forms may redirect: Chromium applies ``form-action`` to redirects, too.
    """
    return "; ".join(
        [
            "default-src 'none'",
            "base-uri 'none'",
            " ".join(["form-action 'self'", *form_targets]),
            "frame-ancestors 'none'",
            "img-src 'self'",
            "script-src 'self'",
            "style-src 'self'",
        ]
    )


CONTENT_SECURITY_POLICY = content_security_policy()

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

HSTS = {"subdomains": "max-age=31536000; includeSubDomains", "host": "max-age=31536000"}
"""Strict-Transport-Security for each value of ``site.hsts``. A year, in seconds."""


def over_https(site: Site) -> dict[str, str]:
    """The headers of a site that is served over HTTPS. A browser ignores them over HTTP."""
    if not site.base_url.startswith("https://"):
        return {}
    return {"Strict-Transport-Security": HSTS[site.hsts]}


def headers_without_page(site: Site) -> dict[str, str]:
    """The headers of a response that the server gives without the application."""
    return {
        **ON_EVERY_RESPONSE,
        **ON_PRIVATE_PAGES,
        **over_https(site),
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Referrer-Policy": "no-referrer",
    }


def keep_private(request: Request) -> None:
    """Forbid every cache, the browser's too, to store the response."""
    request.is_private = True


def _add_headers(event: NewResponse) -> None:
    request, response = event.request, event.response
    headers = dict(ON_EVERY_RESPONSE)
    headers |= ON_PRIVATE_PAGES if request.is_private or _has_token(request) else ON_PAGES
    if _has_token(request):
        headers["Referrer-Policy"] = "no-referrer"
    headers |= over_https(request.registry.pillarbox.site)
    for name, value in headers.items():
        response.headers.setdefault(name, value)


def _has_token(request: Request) -> bool:
    # Every route whose address is a secret link has a {token} in its pattern.
    return "token" in (request.matchdict or {})


def includeme(config: Configurator) -> None:
    """Add the headers to every response."""
    config.add_request_method(lambda request: False, "is_private", reify=True)
    config.add_subscriber(_add_headers, NewResponse)
