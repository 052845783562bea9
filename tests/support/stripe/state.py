"""Everything that the fake knows: Stripe's objects by kind, as it shows them in JSON, and the
events and requests in the order in which they came.
"""

import copy
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.support.stripe.errors import missing

Json = dict[str, Any]
API_VERSION = "2026-10-28.endive"

KINDS = {
    "checkout.session": "checkout.session",
    "payment_intent": "payment_intent",
    "charge": "charge",
    "refund": "refund",
    "dispute": "dispute",
    "event": "event",
    "webhook_endpoint": "webhook endpoint",
}
"""The kinds of objects, and what an error calls them."""
_PREFIXES = {"pi": "payment_intent", "ch": "charge", "re": "refund", "du": "dispute"}


@dataclass(frozen=True)
class Request:
    """A request that the fake received."""

    method: str
    path: str
    params: Json
    headers: dict[str, str]
    """By their names in lower case."""

    @property
    def line(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def idempotency_key(self) -> str | None:
        return self.headers.get("idempotency-key")


@dataclass
class State:
    """Whoever changes an object holds ``lock``."""

    clock: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    lock: threading.RLock = field(default_factory=threading.RLock)
    objects: dict[str, dict[str, Json]] = field(
        default_factory=lambda: {kind: {} for kind in KINDS}
    )
    line_items: dict[str, list[Json]] = field(default_factory=dict)
    """The line items of each session, which Stripe shows only to who asks for them."""
    payment_data: dict[str, Json] = field(default_factory=dict)
    """The parameter ``payment_intent_data`` of each session."""
    messages: dict[str, str] = field(default_factory=dict)
    """What the page of a session tells the customer: that the card was declined."""
    requests: list[Request] = field(default_factory=list)
    on_event: Callable[[Json], None] = field(default=lambda event: None)
    """Called with every new event."""
    url: str = ""
    account: str = "acct_1PillarboxTest"
    statement_name: str = "PILLARBOX TEST"

    @property
    def now(self) -> int:
        """Seconds since 1970."""
        return int(self.clock().timestamp())

    def store(self, thing: Json) -> Json:
        self.objects[thing["object"]][thing["id"]] = thing
        return thing

    def find(self, kind: str, id: str, livemode: bool, param: str = "id") -> Json:
        """The object of this mode. Raises ``ApiError`` 404."""
        found = self.objects[kind].get(id)
        if found is None:
            raise missing(KINDS[kind], id, param)
        if self.mode_of(found) != livemode:
            there, here = ("test", "live") if livemode else ("live", "test")
            hint = (
                f"; a similar object exists in {there} mode, but a {here} mode key was used to"
                " make this request."
            )
            raise missing(KINDS[kind], id, param, hint)
        return found

    def any_by_id(self, id: str) -> Json | None:
        """The payment intent, charge, refund or dispute."""
        kind = _PREFIXES.get(id.partition("_")[0])
        return self.objects[kind].get(id) if kind else None

    def record(self, type: str, thing: Json, previous: Json | None = None) -> Json:
        """Make an event about ``thing`` as it is now."""
        data: Json = {"object": copy.deepcopy(thing)}
        if previous is not None:
            data["previous_attributes"] = previous
        event = self.store(
            {
                "id": new_id("evt_1"),
                "object": "event",
                "api_version": API_VERSION,
                "created": self.now,
                "data": data,
                "livemode": self.mode_of(thing),
                "pending_webhooks": 1,
                "request": {"id": None, "idempotency_key": None},
                "type": type,
            }
        )
        self.on_event(event)
        return event

    def mode_of(self, thing: Json) -> bool:
        """Whether real money moves. Stripe shows no ``livemode`` of a refund: its charge has it."""
        charge = thing if "livemode" in thing else self.objects["charge"][thing["charge"]]
        return bool(charge["livemode"])


def new_id(prefix: str, length: int = 24) -> str:
    return f"{prefix}{(uuid.uuid4().hex + uuid.uuid4().hex)[:length]}"
