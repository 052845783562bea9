"""The fake as tests use it: what a customer, a bank, the dashboard and the network do."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self

from tests.support.stripe import events, paying, refunds, sessions
from tests.support.stripe.api import Api
from tests.support.stripe.events import SECRET, Post, Waiting
from tests.support.stripe.faults import Fault, Faults, When
from tests.support.stripe.server import Server
from tests.support.stripe.state import Json, Request, State, new_id

KEY, LIVE_KEY = "sk_test_51Pillarbox", "sk_live_51Pillarbox"


def _real_time() -> datetime:
    return datetime.now(UTC)


class FakeStripe:
    """Stripe on a port of this machine. Inside ``with`` it answers."""

    def __init__(self, clock: Callable[[], datetime] = _real_time) -> None:
        self.port = 0
        self.state = State(clock)
        self.faults = Faults()
        self.api = Api(self.state, self.faults)
        self.waiting = Waiting(self.state)
        self.state.on_event = self.waiting.add
        self._server: Server | None = None

    def __enter__(self) -> Self:
        self.accept_connections()
        return self

    def __exit__(self, *_: object) -> None:
        self.faults.end()
        self.refuse_connections()
        self.waiting.end()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, key: str = KEY, secrets: Iterable[str] = (SECRET,)) -> dict[str, str]:
        """The settings of an application that uses this fake."""
        return {
            "payments.provider": "stripe",
            "payments.stripe_secret_key": key,
            "payments.stripe_webhook_secrets": " ".join(secrets),
            "payments.stripe_api": self.url,
        }

    # --- What Stripe knows ----------------------------------------------------

    @property
    def sessions(self) -> list[Json]:
        """The Checkout Sessions, the oldest first. So it is with the other lists here."""
        with self.state.lock:
            sessions.end_what_is_over(self.state)
        return self._all("checkout.session")

    @property
    def intents(self) -> list[Json]:
        return self._all("payment_intent")

    @property
    def charges(self) -> list[Json]:
        return self._all("charge")

    @property
    def refunds(self) -> list[Json]:
        return self._all("refund")

    @property
    def events(self) -> list[Json]:
        return self._all("event")

    @property
    def requests(self) -> list[Request]:
        return self.state.requests

    def session(self, id: str) -> Json:
        return self.state.objects["checkout.session"][id]

    def charge_of(self, session_id: str) -> Json:
        """The latest charge of a session that somebody tried to pay."""
        intent = self.state.objects["payment_intent"][self.session(session_id)["payment_intent"]]
        return self.state.objects["charge"][intent["latest_charge"]]

    def _all(self, kind: str) -> list[Json]:
        return list(self.state.objects[kind].values())

    # --- The customer and the bank --------------------------------------------

    def pay(self, session_id: str, brand: str = "visa", last4: str = "4242") -> Json:
        """Pay by card. Raises ``NotPayable`` if the session is not open."""
        with self.state.lock:
            return paying.pay(self.state, session_id, brand, last4)

    def pay_later(self, session_id: str) -> Json:
        """Pay by SEPA direct debit: complete, and unpaid so far."""
        with self.state.lock:
            return paying.pay_later(self.state, session_id)

    def succeed_later(self, session_id: str) -> Json:
        """The money of ``pay_later`` comes."""
        with self.state.lock:
            return paying.succeed_later(self.state, session_id)

    def fail_later(self, session_id: str) -> Json:
        """The money of ``pay_later`` does not come."""
        with self.state.lock:
            return paying.fail_later(self.state, session_id)

    def decline(self, session_id: str) -> Json:
        """Try a card that is declined. The session stays open."""
        with self.state.lock:
            return paying.decline(self.state, session_id)

    def expire(self, session_id: str) -> Json:
        """End an open session."""
        with self.state.lock:
            return sessions.expire(self.state, session_id, self.session(session_id)["livemode"])

    # --- Refunds and disputes -------------------------------------------------

    def next_refund(self, *statuses: str) -> None:
        """The refunds that are made next are ``pending``, ``failed`` and so on, one after the
        other. Without this they are ``succeeded``.
        """
        self.api.next_refunds += statuses

    def change_refund(self, refund_id: str, status: str) -> Json:
        """A refund becomes ``succeeded``, ``failed`` or ``canceled``."""
        with self.state.lock:
            return refunds.change(self.state, refund_id, status)

    def refund_in_dashboard(
        self, intent: str, amount: int | None = None, status: str = "succeeded"
    ) -> Json:
        """Somebody refunds in Stripe's dashboard: no metadata. Without amount: all that is left."""
        asked: dict[str, Any] = {"payment_intent": intent}
        if amount is not None:
            asked["amount"] = str(amount)
        with self.state.lock:
            livemode = self.state.objects["payment_intent"][intent]["livemode"]
            return refunds.create(self.state, asked, livemode, status)

    def dispute(self, intent: str, amount: int | None = None, reason: str = "fraudulent") -> Json:
        """The customer disputes a charge with the bank."""
        with self.state.lock:
            return refunds.dispute(self.state, intent, amount, reason)

    def close_dispute(self, dispute_id: str, status: str = "lost") -> Json:
        """A dispute ends: ``won`` or ``lost``."""
        with self.state.lock:
            return refunds.close_dispute(self.state, dispute_id, status)

    # --- Events ---------------------------------------------------------------

    def signed(
        self, event: Json, secrets: Iterable[str] | None = None, at: int | None = None
    ) -> tuple[bytes, dict[str, str]]:
        """The body and the headers that bring an event."""
        used = self.waiting.secrets if secrets is None else secrets
        return events.signed(event, used, self.state.now if at is None else at)

    def deliver(self, post: Post, **how: Any) -> list[int]:
        """Post the events that wait. See ``Waiting.deliver`` for ``reverse``, ``times``,
        ``signed_at`` and ``lost``.
        """
        with self.state.lock:
            sessions.end_what_is_over(self.state)
        return self.waiting.deliver(post, **how)

    def deliver_by_itself(self, url: str) -> None:
        """From now on post every event to this address, as Stripe does, until it is taken."""
        self.waiting.deliver_by_itself(url)

    def add_webhook(
        self,
        url: str,
        enabled_events: Iterable[str] = ("*",),
        status: str = "enabled",
        *,
        livemode: bool = False,
    ) -> Json:
        """A webhook endpoint that is set up at Stripe. Nothing is posted because of it."""
        return self.state.store(
            {
                "id": new_id("we_1"),
                "object": "webhook_endpoint",
                "api_version": None,
                "created": self.state.now,
                "enabled_events": list(enabled_events),
                "livemode": livemode,
                "status": status,
                "url": url,
            }
        )

    # --- What goes wrong ------------------------------------------------------

    def fail(
        self,
        line: str = "*",
        status: int = 500,
        *,
        times: int = 1,
        when: When = "during",
        code: str | None = None,
    ) -> Fault:
        """The next requests whose line fits (``POST /v1/refunds``) get this status. With
        ``when="after"`` the work is done all the same.
        """
        return self.faults.add(Fault(line, "fail", when, times, status, code))

    def hang(self, line: str = "*", *, times: int = 10**9, when: When = "before") -> Fault:
        """Requests get no answer, until ``release`` or ``drop`` of the fault that is returned."""
        return self.faults.add(Fault(line, "hang", when, times))

    def drop(self, line: str = "*", *, times: int = 1, when: When = "before") -> Fault:
        """The connection ends without an answer."""
        return self.faults.add(Fault(line, "drop", when, times))

    def refuse_connections(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def accept_connections(self) -> None:
        """Open the port again."""
        self._server = Server(self.api, self.port)
        self.port = self._server.server_port
        self.state.url = self.url
