"""The API: who may ask, which function answers, and the idempotency of it."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from tests.support.stripe import refunds, sessions
from tests.support.stripe.errors import ApiError
from tests.support.stripe.faults import Faults
from tests.support.stripe.idempotency import Answer, Keys
from tests.support.stripe.lists import list_page, shown
from tests.support.stripe.state import Json, Request, State, new_id

Handler = Callable[["Api", Request, bool, str], Json]
"""Takes the request, whether it is of live mode, and the id in the path."""


@dataclass
class Api:
    state: State
    faults: Faults
    keys: Keys = field(default_factory=Keys)
    refuses_keys: bool = False
    """Whether every key is answered with 401."""
    lacks: set[str] = field(default_factory=set)
    """Lines of requests (``POST /v1/refunds``) for which the key has no permission. ``*`` and ``?``
    stand for anything.
    """
    next_refunds: list[str] = field(default_factory=list)
    """The states of the refunds that are made next. Then they are ``succeeded``."""

    def answer(self, request: Request) -> Answer:
        """The answer to a request. Raises ``Dropped`` when there is none."""
        id = new_id("req_", 14)
        try:
            self.faults.act(request.line, "before")
            livemode = self._authenticate(request)
            handler, thing = _route(request)
            if request.method == "POST" and request.idempotency_key:
                return self._once(request, livemode, request.idempotency_key, handler, thing, id)
            self.faults.act(request.line, "during")
            with self.state.lock:
                body = self._work(request, livemode, handler, thing)
            self.faults.act(request.line, "after")
            return Answer(200, body, id)
        except ApiError as error:
            return Answer(error.status, error.body, id)

    def _once(
        self, request: Request, livemode: bool, key: str, handler: Handler, thing: str, id: str
    ) -> Answer:
        with self.state.lock:
            now = self.state.now
            stored = self.keys.begin(livemode, key, request.path, request.params, now)
        if stored is not None:
            return stored
        answer, has_begun = Answer(500, {}, id), False
        try:
            answer, has_begun = self._execute(request, livemode, handler, thing, id)
        finally:
            with self.state.lock:
                self.keys.end(livemode, key, answer, has_begun)
        # The answer is stored. What is lost after that, a second try finds.
        self.faults.act(request.line, "after", "hang", "drop")
        return answer

    def _execute(
        self, request: Request, livemode: bool, handler: Handler, thing: str, id: str
    ) -> tuple[Answer, bool]:
        try:
            self.faults.act(request.line, "during")
            with self.state.lock:
                body = self._work(request, livemode, handler, thing)
            self.faults.act(request.line, "after", "fail")
            return Answer(200, body, id), True
        except ApiError as error:
            return Answer(error.status, error.body, id), error.has_begun

    def _work(self, request: Request, livemode: bool, handler: Handler, thing: str) -> Json:
        sessions.end_what_is_over(self.state)
        body = handler(self, request, livemode, thing)
        if body["object"] == "list":
            return body
        expand = request.params.get("expand", [])
        return shown(self.state, body, expand)

    def _authenticate(self, request: Request) -> bool:
        """Whether the key is of live mode. Raises ``ApiError`` 401 or 403."""
        key = request.headers.get("authorization", "").removeprefix("Bearer ")
        found = re.fullmatch(r"(sk|rk)_(test|live)_\w+", key)
        if not key:
            raise ApiError(401, "You did not provide an API key.")
        shown_key = key[:8] + "*" * 8 + key[-4:]
        if found is None or self.refuses_keys:
            raise ApiError(401, f"Invalid API Key provided: {shown_key}")
        if any(fnmatchcase(request.line, pattern) for pattern in self.lacks):
            raise ApiError(
                403,
                f"The provided key '{shown_key}' does not have the required permissions for this"
                f" endpoint on account '{self.state.account}'.",
                code="more_permissions_required",
            )
        return found[2] == "live"


def _list_of(kind: str, *filters: str) -> Handler:
    def handler(api: Api, request: Request, livemode: bool, thing: str) -> Json:
        return list_page(api.state, kind, request.path, request.params, livemode, filters)

    return handler


def _one_of(kind: str, param: str = "id") -> Handler:
    def handler(api: Api, request: Request, livemode: bool, thing: str) -> Json:
        return api.state.find(kind, thing, livemode, param)

    return handler


def _create_session(api: Api, request: Request, livemode: bool, thing: str) -> Json:
    return sessions.create(api.state, request.params, livemode)


def _expire_session(api: Api, request: Request, livemode: bool, thing: str) -> Json:
    return sessions.expire(api.state, thing, livemode)


def _create_refund(api: Api, request: Request, livemode: bool, thing: str) -> Json:
    status = api.next_refunds[0] if api.next_refunds else "succeeded"
    made = refunds.create(api.state, request.params, livemode, status)
    del api.next_refunds[:1]
    return made


def _account(api: Api, request: Request, livemode: bool, thing: str) -> Json:
    return {
        "id": api.state.account,
        "object": "account",
        "charges_enabled": True,
        "country": "DE",
        "default_currency": "eur",
        "details_submitted": True,
        "payouts_enabled": True,
        "settings": {"payments": {"statement_descriptor": api.state.statement_name}},
        "type": "standard",
    }


def _balance(api: Api, request: Request, livemode: bool, thing: str) -> Json:
    money = [{"amount": 0, "currency": "eur", "source_types": {"card": 0}}]
    return {"object": "balance", "available": money, "pending": money, "livemode": livemode}


_ID = "([A-Za-z0-9_]+)"
_ROUTES: dict[str, Handler] = {
    "POST /v1/checkout/sessions": _create_session,
    "GET /v1/checkout/sessions": _list_of("checkout.session", "payment_intent", "status"),
    f"GET /v1/checkout/sessions/{_ID}": _one_of("checkout.session", "session"),
    f"POST /v1/checkout/sessions/{_ID}/expire": _expire_session,
    f"GET /v1/payment_intents/{_ID}": _one_of("payment_intent", "intent"),
    f"GET /v1/charges/{_ID}": _one_of("charge"),
    "POST /v1/refunds": _create_refund,
    "GET /v1/refunds": _list_of("refund", "payment_intent", "charge"),
    f"GET /v1/refunds/{_ID}": _one_of("refund"),
    "GET /v1/disputes": _list_of("dispute", "payment_intent", "charge"),
    f"GET /v1/disputes/{_ID}": _one_of("dispute", "dispute"),
    "GET /v1/events": _list_of("event", "type"),
    f"GET /v1/events/{_ID}": _one_of("event"),
    "GET /v1/webhook_endpoints": _list_of("webhook_endpoint"),
    "GET /v1/account": _account,
    "GET /v1/balance": _balance,
}


def _route(request: Request) -> tuple[Handler, str]:
    for pattern, handler in _ROUTES.items():
        found = re.fullmatch(pattern, request.line)
        if found is not None:
            return handler, found[1] if found.groups() else ""
    message = f"Unrecognized request URL ({request.method}: {request.path})."
    raise ApiError(404, message)
