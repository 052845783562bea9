"""Protection from forged forms (STANDARDS B8).

A POST must carry the visitor's token, and the browser must not say that another site sent it.
"""

import secrets
from hmac import compare_digest

from pyramid.config import Configurator
from pyramid.interfaces import ICSRFStoragePolicy
from pyramid.request import Request
from pyramid.viewderivers import INGRESS, csrf_view
from zope.interface import implementer


@implementer(ICSRFStoragePolicy)
class VisitorCSRFPolicy:
    """Keeps the CSRF token in the visitor's signed cookie."""

    def new_csrf_token(self, request: Request) -> str:
        """Replace the token, as sign-in and sign-out do."""
        request.visitor.csrf_token = secrets.token_urlsafe(32)
        return str(request.visitor.csrf_token)

    def get_csrf_token(self, request: Request) -> str:
        """The visitor's token. The first call makes it."""
        return request.visitor.csrf_token or self.new_csrf_token(request)

    def check_csrf_token(self, request: Request, supplied_token: str) -> bool:
        """Whether the request carries the token and no header says that another site sent it."""
        expected: str = request.visitor.csrf_token
        has_token = bool(expected) and compare_digest(expected.encode(), supplied_token.encode())
        return has_token and is_from_this_site(request)


def is_from_this_site(request: Request) -> bool:
    """False when the browser says that a page of another address sent the request.

    True when it says nothing, as old browsers do: then the token decides alone.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        return False
    # A page with the referrer policy no-referrer, such as the page of a token, sends "null" as the
    # origin of its own forms.
    our_origin = _origin_of(request.registry.pillarbox.site.base_url)
    return request.headers.get("Origin", "null") in {"null", our_origin}


def _origin_of(base_url: str) -> str:
    """The origin as a browser writes it (RFC 6454): without the scheme's usual port."""
    usual_port = ":443" if base_url.startswith("https:") else ":80"
    return base_url.removesuffix(usual_port)


def includeme(config: Configurator) -> None:
    """Check every POST before Pyramid checks the view's permission."""
    config.set_csrf_storage_policy(VisitorCSRFPolicy())
    config.set_default_csrf_options(require_csrf=True, check_origin=False)
    config.add_view_deriver(csrf_view, "csrf_view", under=INGRESS, over="secured_view")
