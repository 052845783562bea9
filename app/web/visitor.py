"""What the shop knows of somebody who has not signed in: one signed cookie (STANDARDS B4).

The cookie is signed, not encrypted: the visitor may read it, and nobody can change it. It is sent
only when its content has changed. A cookie that cannot be read is a new visitor, never an error.
"""

import json
import logging
import secrets
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, Self

from pyramid.config import Configurator
from pyramid.request import Request
from pyramid.response import Response

from app.web.cookies import read_cookie, set_cookie
from app.web.signing import derived_key, sign, unsign

log = logging.getLogger(__name__)

COOKIE = "pillarbox-visitor"
LIFETIME = timedelta(days=30)
MOST_CHARACTERS = 3_800
"""Browsers keep 4096 octets of name and value."""
MOST_BASKET_LINES = 30
"""So many products fit into the cookie beside everything else."""


@dataclass(slots=True)
class Visitor:
    """The content of the cookie. Whatever changes here reaches the browser with the response."""

    csrf_token: str = ""
    pending: dict[str, str] = field(default_factory=dict)
    """What a "check your inbox" page needs to know, such as the address, by the room that asked."""
    basket_id: str = ""
    """Names this basket while it lives, so that it becomes an order only once (STANDARDS D1)."""
    basket: dict[str, int] = field(default_factory=dict)
    """Quantities by product slug."""
    messages: list[str] = field(default_factory=list)
    """Sentences for the next page, already in the visitor's language."""

    @property
    def basket_count(self) -> int:
        """How many items lie in the basket."""
        return sum(self.basket.values())

    def set_quantity(self, slug: str, quantity: int) -> bool:
        """Put so many of a product into the basket, 0 to take it out. False: there is no room.

        A basket with another content is another basket, with an id of its own: an order that the
        old one has become stays as it is.
        """
        if quantity <= 0:
            self.basket.pop(slug, None)
        elif slug not in self.basket and len(self.basket) >= MOST_BASKET_LINES:
            return False
        else:
            self.basket[slug] = quantity
        self.basket_id = secrets.token_urlsafe(16) if self.basket else ""
        return True

    def empty_basket(self) -> None:
        """Take everything out. What is put in next is another basket."""
        self.basket_id = ""
        self.basket = {}

    def tell(self, message: str) -> None:
        """Show ``message``, a sentence for people, once on the next page."""
        self.messages.append(message)

    def take_messages(self) -> list[str]:
        """The messages for this page; they are gone afterwards."""
        messages, self.messages = self.messages, []
        return messages

    def to_json(self) -> bytes:
        """The content, without what is empty."""
        filled = {name: value for name, value in asdict(self).items() if value}
        if not filled:
            return b""
        return json.dumps(filled, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The visitor that ``to_json`` wrote; another shape raises ValueError or TypeError."""
        found: dict[str, Any] = json.loads(content)
        visitor = cls(**found)
        texts = [visitor.csrf_token, visitor.basket_id, *visitor.messages]
        texts += [*visitor.pending, *visitor.pending.values(), *visitor.basket]
        if not all(type(text) is str for text in texts):
            raise TypeError("a visitor cookie of another shape")
        if not all(type(quantity) is int for quantity in visitor.basket.values()):
            raise TypeError("a visitor cookie of another shape")
        return visitor


def _visitor(request: Request) -> Visitor:
    key = derived_key(request.registry.pillarbox.secret, "visitor cookie")
    visitor = _read(request, key)
    before = visitor.to_json()

    def send_if_changed(request: Request, response: Response) -> None:
        after = visitor.to_json()
        if after != before:
            _send(request, response, visitor, key)

    request.add_response_callback(send_if_changed)
    return visitor


def _read(request: Request, key: bytes) -> Visitor:
    try:
        content = unsign(key, read_cookie(request, COOKIE))
        return Visitor.from_json(content) if content else Visitor()
    except (ValueError, TypeError, AttributeError):
        return Visitor()


def _send(request: Request, response: Response, visitor: Visitor, key: bytes) -> None:
    content = visitor.to_json()
    signed = sign(key, content) if content else ""
    if len(signed) > MOST_CHARACTERS:
        # Messages are the part that can be done without.
        visitor.messages.clear()
        signed = sign(key, visitor.to_json())
    if len(signed) > MOST_CHARACTERS:
        log.error("a visitor cookie of %d characters was not sent", len(signed))
        return
    set_cookie(request, response, COOKIE, signed, LIFETIME)


def includeme(config: Configurator) -> None:
    """Give requests ``request.visitor``."""
    config.add_request_method(_visitor, "visitor", reify=True)
