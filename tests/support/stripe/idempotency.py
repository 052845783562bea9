"""Idempotency keys, as Stripe has them: it stores the answer of the first request with a key that
it began to execute, an error too, and gives it again to every later one.
"""

import json
from dataclasses import dataclass, field

from tests.support.stripe.errors import ApiError
from tests.support.stripe.state import Json

KEPT_SECONDS = 86400


@dataclass(frozen=True)
class Answer:
    status: int
    body: Json
    request_id: str
    is_replayed: bool = False


@dataclass
class _Entry:
    path: str
    params: str
    began_at: int
    answer: Answer | None = None


@dataclass
class Keys:
    """The keys of one account. Whoever calls this holds the lock of the state."""

    entries: dict[tuple[bool, str], _Entry] = field(default_factory=dict)
    """By mode and key."""

    def begin(self, livemode: bool, key: str, path: str, params: Json, now: int) -> Answer | None:
        """The stored answer, or None, and then the key is in use until ``end``.

        Raises ``ApiError`` 400 for other parameters or another path, 409 while the key is in use.
        """
        if len(key) > 255:
            raise ApiError(400, "Idempotency key must be no more than 255 characters.")
        entry = self.entries.get((livemode, key))
        if entry is not None and now - entry.began_at >= KEPT_SECONDS:
            entry = None
        if entry is None:
            self.entries[livemode, key] = _Entry(path, json.dumps(params, sort_keys=True), now)
            return None
        other = f"Try using a key other than '{key}' if you meant to execute a different request."
        if entry.path != path:
            message = (
                "Keys for idempotent requests can only be used for the same endpoint they were"
                f" first used for ('{path}' vs '{entry.path}'). {other}"
            )
            raise ApiError(400, message, type="idempotency_error")
        if entry.params != json.dumps(params, sort_keys=True):
            message = (
                "Keys for idempotent requests can only be used with the same parameters they were"
                f" first used with. {other}"
            )
            raise ApiError(400, message, type="idempotency_error")
        if entry.answer is None:
            message = (
                "There is currently another in-progress request using this Idempotent Key (that"
                " probably means you submitted twice, and the other request is still going"
                f" through): {key}. Please try again later."
            )
            raise ApiError(409, message, type="idempotency_error", code="idempotency_key_in_use")
        stored = entry.answer
        return Answer(stored.status, stored.body, stored.request_id, is_replayed=True)

    def end(self, livemode: bool, key: str, answer: Answer, has_begun: bool) -> None:
        """Store the answer; or forget the key, if Stripe had not begun to execute the request."""
        if has_begun:
            self.entries[livemode, key].answer = answer
        else:
            del self.entries[livemode, key]
