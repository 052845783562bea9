"""What the shop keeps in a browser, with or without an account: one signed cookie (STANDARDS B4).

The cookie is signed, not encrypted: the visitor can read it but cannot change it. A response sets
it only when its content has changed. A cookie that cannot be read counts as none, not as an error.
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
from webob.cookies import SignedSerializer

from app.web.cookies import read_cookie, set_cookie

log = logging.getLogger(__name__)

COOKIE = "pillarbox-visitor"
LIFETIME = timedelta(days=30)
MOST_CHARACTERS = 3_800
"""Browsers keep 4096 octets of name and value."""
MOST_BASKET_LINES = 30
"""How many products fit into the cookie beside everything else."""
_SALT = "pillarbox visitor cookie "


@dataclass(slots=True)
class Visitor:
    """The content of the cookie. A change here reaches the browser with the response."""

    csrf_token: str = ""
    browser: str = ""
    """A random name of this browser, once ``name_browser`` has made it."""
    signed_in_to: list[str] = field(default_factory=list)
    """Digests that name the accounts to which somebody has signed in here."""
    pending: dict[str, str] = field(default_factory=dict)
    """What a "check your inbox" page shows, such as the address. The keys are up to the views."""
    basket_id: str = ""
    """Identifies this basket and its content, so that it becomes one order only (STANDARDS D1)."""
    basket: dict[str, int] = field(default_factory=dict)
    """Quantities by product slug."""
    messages: list[str] = field(default_factory=list)
    """Sentences for the next page, already in the visitor's language."""

    def name_browser(self) -> str:
        """The name by which limits know this browser. The first call makes it.

        A browser that deletes its cookies gets a new name.
        """
        self.browser = self.browser or secrets.token_urlsafe(12)
        return self.browser

    @property
    def basket_count(self) -> int:
        """The number of items in the basket."""
        return sum(self.basket.values())

    def set_quantity(self, slug: str, quantity: int) -> bool:
        """Set a product's quantity; 0 removes it. Returns False when the basket is full.

        A changed basket gets a new id, so that an order made from the old content stays as it is.
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
        """Remove everything. The next product starts a new basket."""
        self.basket_id = ""
        self.basket = {}

    def tell(self, message: str) -> None:
        """Show ``message``, a translated sentence, once on the next page."""
        self.messages.append(message)

    def take_messages(self) -> list[str]:
        """Return the messages for this page and forget them."""
        messages, self.messages = self.messages, []
        return messages

    def to_json(self) -> bytes:
        """The fields that are not empty, as JSON; ``b""`` when all are."""
        filled = {name: value for name, value in asdict(self).items() if value}
        if not filled:
            return b""
        return json.dumps(filled, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The visitor that ``to_json`` wrote. Raises ValueError or TypeError for anything else."""
        fields: dict[str, Any] = json.loads(content)
        visitor = cls(**fields)
        texts = [visitor.csrf_token, visitor.browser, visitor.basket_id, *visitor.messages]
        texts += visitor.signed_in_to
        texts += [*visitor.pending, *visitor.pending.values(), *visitor.basket]
        are_texts = all(type(text) is str for text in texts)
        if not are_texts or not all(type(number) is int for number in visitor.basket.values()):
            raise TypeError("not the JSON of a visitor")
        return visitor


class _VisitorJson:
    """Makes ``SignedSerializer`` sign a visitor's compact JSON."""

    dumps = staticmethod(Visitor.to_json)
    loads = staticmethod(Visitor.from_json)


def visitor_serializer(secret: str) -> SignedSerializer:
    """Turns visitors into the text of their cookies and back, signed with HMAC-SHA-512.

    ``loads`` raises ValueError or TypeError for a text that ``dumps`` has not made.
    """
    return SignedSerializer(secret, _SALT, hashalg="sha512", serializer=_VisitorJson())


def _visitor_of(request: Request) -> Visitor:
    """The visitor of the request's cookie, whose changes go into the response's."""
    serializer = visitor_serializer(request.registry.pillarbox.secret)
    try:
        visitor: Visitor = serializer.loads(read_cookie(request, COOKIE).encode())
    except (ValueError, TypeError, AttributeError):
        visitor = Visitor()
    received = visitor.to_json()

    def send_if_changed(request: Request, response: Response) -> None:
        if visitor.to_json() == received:
            return
        signed = serializer.dumps(visitor).decode()
        if len(signed) > MOST_CHARACTERS:
            # Only the messages can be left out.
            visitor.messages.clear()
            signed = serializer.dumps(visitor).decode()
        if len(signed) > MOST_CHARACTERS:
            log.error("visitor cookie too large, not sent: characters=%d", len(signed))
            return
        set_cookie(request, response, COOKIE, signed if visitor.to_json() else "", LIFETIME)

    request.add_response_callback(send_if_changed)
    return visitor


def includeme(config: Configurator) -> None:
    """Give requests ``request.visitor``."""
    config.add_request_method(_visitor_of, "visitor", reify=True)
