"""Proof that a form was sent from one of our own pages (STANDARDS B8).

A token, and what the browser says about where the form comes from.
"""

import secrets
from hmac import compare_digest
from urllib.parse import urlsplit

from pyramid.config import Configurator
from pyramid.interfaces import ICSRFStoragePolicy
from pyramid.request import Request
from pyramid.viewderivers import INGRESS, csrf_view
from zope.interface import implementer


@implementer(ICSRFStoragePolicy)
class VisitorCSRFPolicy:
    """Keeps the token in the visitor's signed cookie."""

    def new_csrf_token(self, request: Request) -> str:
        """A new token in the place of the old one, as at sign-in and sign-out."""
        request.visitor.csrf_token = secrets.token_urlsafe(32)
        return str(request.visitor.csrf_token)

    def get_csrf_token(self, request: Request) -> str:
        """The visitor's token, made when it is first asked for."""
        return request.visitor.csrf_token or self.new_csrf_token(request)

    def check_csrf_token(self, request: Request, supplied_token: str) -> bool:
        """Whether the request carries the token and does not say that it comes from elsewhere."""
        expected: str = request.visitor.csrf_token
        has_token = bool(expected) and compare_digest(expected.encode(), supplied_token.encode())
        return has_token and comes_from_here(request)


def comes_from_here(request: Request) -> bool:
    """False when the browser says that another site sent the request.

    Old browsers say nothing, and the token decides.
    """
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site in {"same-origin", "none"}
    origin = request.headers.get("Origin")
    # A page with the referrer policy no-referrer, as token pages have it, sends "null" for its own
    # forms too.
    if origin is None or origin == "null":
        return True
    ours = urlsplit(request.registry.pillarbox.site.base_url).netloc
    return _host(origin) in {ours, request.host}


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def includeme(config: Configurator) -> None:
    """Require the token of every POST, before a view or its permission is looked at."""
    config.set_csrf_storage_policy(VisitorCSRFPolicy())
    config.set_default_csrf_options(require_csrf=True, check_origin=False)
    config.add_view_deriver(csrf_view, "csrf_view", under=INGRESS, over="secured_view")
