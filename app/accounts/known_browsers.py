"""Browsers that were signed in to an account before. Each has a count of wrong passwords of its
own, so that nobody else can lock its owner out (STANDARDS B7).

The visitor's signed cookie holds digests of the addresses, so it can be neither forged nor read.
"""

import hmac
from hashlib import sha256

from pyramid.request import Request

MOST = 4
"""Accounts that one browser is known for. The one that was used longest ago is forgotten first."""


def remember(request: Request, address_key: str) -> None:
    """Let this browser be known for the address (``Address.key``)."""
    # Its count goes by this name. Without one, each replay of the cookie would begin a new count.
    request.visitor.name_browser()
    digest = _digest(request, address_key)
    others = [each for each in request.visitor.signed_in_to if each != digest]
    request.visitor.signed_in_to = [digest, *others][:MOST]


def forget(request: Request, address_key: str) -> None:
    """Let this browser no longer be known for the address, because its account was deleted."""
    digest = _digest(request, address_key)
    others = [each for each in request.visitor.signed_in_to if each != digest]
    request.visitor.signed_in_to = others


def is_known(request: Request, address_key: str) -> bool:
    """Whether somebody has signed in to the account of this address in this browser."""
    visitor = request.visitor
    return bool(visitor.browser) and _digest(request, address_key) in visitor.signed_in_to


def _digest(request: Request, address_key: str) -> str:
    secret = request.registry.pillarbox.secret.encode()
    return hmac.new(secret, f"known browser {address_key}".encode(), sha256).hexdigest()[:24]
