"""Events on their way to a webhook: signed, in any order, twice, late, or not at all."""

import hashlib
import hmac
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.support.stripe.state import Json, State

SECRET = "whsec_test_0123456789abcdefghijklmnop"
Post = Callable[[bytes, dict[str, str]], int]
"""Posts a body with headers to a webhook, and returns the status of the answer."""


def sign(body: bytes, secrets: Iterable[str], at: int) -> str:
    """The header ``Stripe-Signature``, with one signature for each secret."""
    signatures = [
        hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
        for secret in secrets
    ]
    return ",".join([f"t={at}", *(f"v1={signature}" for signature in signatures)])


def signed(event: Json, secrets: Iterable[str], at: int) -> tuple[bytes, dict[str, str]]:
    """The body and the headers of the request that brings an event."""
    body = json.dumps(event, indent=2).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Stripe-Signature": sign(body, secrets, at),
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
    }
    return body, headers


def post_to(url: str) -> Post:
    """Posts to a server."""

    def post(body: bytes, headers: dict[str, str]) -> int:
        request = urllib.request.Request(url, body, headers)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return int(answer.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except OSError:
            return 0

    return post


@dataclass
class Waiting:
    """The events that no webhook has taken yet."""

    state: State
    secrets: tuple[str, ...] = (SECRET,)
    events: list[Json] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _courier: threading.Thread | None = None
    _is_over: bool = False

    def add(self, event: Json) -> None:
        with self._changed:
            self.events.append(event)
            self._changed.notify_all()

    def deliver(
        self,
        post: Post,
        *,
        reverse: bool = False,
        times: int = 1,
        signed_at: int | None = None,
        lost: Iterable[str] = (),
    ) -> list[int]:
        """Post every waiting event, and return the statuses of the answers. An event whose answer
        is not 2xx stays here, as Stripe tries again. The types in ``lost`` are thrown away.
        """
        with self._changed:
            events, self.events = self.events, []
        statuses = []
        for event in reversed(events) if reverse else events:
            if event["type"] in lost:
                continue
            at = self.state.now if signed_at is None else signed_at
            answers = [post(*signed(event, self.secrets, at)) for _ in range(times)]
            statuses += answers
            if not any(200 <= status < 300 for status in answers):
                self.add(event)
        return statuses

    def deliver_by_itself(self, url: str) -> None:
        """From now on a thread posts every event as it comes, until an answer is 2xx."""

        def run() -> None:
            while not self._is_over:
                with self._changed:
                    self._changed.wait_for(lambda: self._is_over or bool(self.events))
                if not self._is_over and not all(
                    200 <= status < 300 for status in self.deliver(post_to(url))
                ):
                    with self._changed:
                        self._changed.wait_for(lambda: self._is_over, timeout=0.2)

        self._courier = threading.Thread(target=run, daemon=True)
        self._courier.start()

    def end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
        if self._courier is not None:
            self._courier.join(timeout=35)
