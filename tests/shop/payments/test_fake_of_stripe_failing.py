"""What can go wrong with Stripe goes wrong with its fake: keys, connections, events."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import stripe as package
from stripe import Webhook

from tests.support.clock import Clock
from tests.support.stripe import LIVE_KEY, SECRET, FakeStripe
from tests.support.stripe.client import Client, Connect, basket, error_of, paid_intent
from tests.support.waiting import eventually


def test_one_key_makes_one_session_and_takes_no_other_parameters(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    def create(**others: Any) -> Any:
        return client.v1.checkout.sessions.create(
            basket(clock, **others), {"idempotency_key": "payment-1"}
        )

    first, again = create(), create()
    assert first.id == again.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    # The answer is the stored one, although the session is over.
    stripe.expire(first.id)
    assert create().status == "open"
    error = error_of(lambda: create(client_reference_id="payment-2"))
    assert isinstance(error, package.IdempotencyError)
    assert len(stripe.sessions) == 1
    clock.advance(timedelta(days=1))
    assert create().id != first.id


def test_a_500_is_stored_although_the_money_moved(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    intent = paid_intent(client, stripe, clock)
    stripe.fail("POST /v1/refunds", 500, when="after")
    for _ in range(2):
        error = error_of(
            lambda: client.v1.refunds.create({"payment_intent": intent}, {"idempotency_key": "r"})
        )
        assert error.http_status == 500
    assert error.headers["Idempotent-Replayed"] == "true"
    assert [refund["amount"] for refund in stripe.refunds] == [2400]


def test_what_stripe_did_not_begin_is_not_stored(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    def create(**others: Any) -> Any:
        return client.v1.checkout.sessions.create(basket(clock, **others), {"idempotency_key": "k"})

    stripe.fail("POST /v1/checkout/sessions", 429)
    assert isinstance(error_of(create), package.RateLimitError)
    assert error_of(lambda: create(foo="bar")).http_status == 400
    stripe.api.refuses_keys = True
    assert isinstance(error_of(create), package.AuthenticationError)
    stripe.api.refuses_keys = False
    assert create().status == "open"


def test_two_requests_at_once_with_one_key_conflict(
    connect: Connect, stripe: FakeStripe, clock: Clock
) -> None:
    client = connect(retries=0)

    def create() -> Any:
        return client.v1.checkout.sessions.create(basket(clock), {"idempotency_key": "k"}).id

    slow = stripe.hang("POST /v1/checkout/sessions", times=1, when="during")
    with ThreadPoolExecutor(1) as other:
        first = other.submit(create)
        stripe.faults.wait_for(slow)
        error = error_of(create)
        assert (error.http_status, error.code) == (409, None)
        assert error.json_body["error"]["code"] == "idempotency_key_in_use"
        slow.release()
        assert first.result() == create()


def test_the_package_finds_the_signature_of_an_event_right(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    paid_intent(client, stripe, clock)
    [event] = stripe.events
    body, headers = stripe.signed(event, ["whsec_old", SECRET])
    header = headers["Stripe-Signature"]
    for secret in ("whsec_old", SECRET):
        taken = Webhook.construct_event(body, header, secret, tolerance=0)
        assert taken.data.object.id == stripe.sessions[0]["id"]
    for wrong_body, secret in ((body + b" ", SECRET), (body, "whsec_other")):
        with pytest.raises(package.SignatureVerificationError):
            Webhook.construct_event(wrong_body, header, secret, tolerance=0)
    assert client.v1.events.retrieve(event["id"]).type == "checkout.session.completed"


def test_events_come_in_any_order_twice_or_never_and_again_until_they_are_taken(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    client.v1.refunds.create({"payment_intent": paid_intent(client, stripe, clock)})
    came: list[str] = []
    status = 500

    def post(body: bytes, headers: dict[str, str]) -> int:
        assert f"t={int(clock.now.timestamp())}," in headers["Stripe-Signature"]
        event = Webhook.construct_event(body, headers["Stripe-Signature"], SECRET, tolerance=0)
        came.append(event.type)
        return status

    assert stripe.deliver(post, lost=["charge.refunded"]) == [500, 500]
    assert came == ["checkout.session.completed", "refund.created"]
    came.clear()
    status = 200
    assert stripe.deliver(post, reverse=True, times=2) == [200] * 4
    assert came == ["refund.created"] * 2 + ["checkout.session.completed"] * 2
    assert stripe.deliver(post) == []


def test_events_are_posted_by_themselves_until_a_webhook_takes_them(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    # Another fake is the webhook: it takes the second try.
    with FakeStripe(clock) as webhook:
        webhook.fail("POST /v1/refunds", 500)
        stripe.deliver_by_itself(f"{webhook.url}/v1/refunds")
        paid_intent(client, stripe, clock)
        eventually(lambda: len(webhook.requests) > 2, what="the event to come again")
    assert webhook.requests[0].headers["stripe-signature"].startswith("t=")


def test_a_client_gives_up_when_the_fake_hangs_and_finds_its_work_later(
    connect: Connect, stripe: FakeStripe, clock: Clock
) -> None:
    client = connect(seconds=0.2, retries=0)
    hanging = stripe.hang("POST /v1/checkout/*")

    def create() -> Any:
        return client.v1.checkout.sessions.create(basket(clock), {"idempotency_key": "k"}).id

    assert isinstance(error_of(create), package.APIConnectionError)
    assert (hanging.met, stripe.sessions) == (1, [])
    hanging.release()
    assert [create(), create()] == [stripe.sessions[0]["id"]] * 2
    assert len(stripe.sessions) == 1


def test_a_connection_that_drops_after_the_work_is_made_good_by_the_packages_second_try(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    stripe.drop("POST /v1/checkout/sessions", when="after")
    assert client.v1.checkout.sessions.create(basket(clock)).id == stripe.sessions[0]["id"]
    assert [request.line for request in stripe.requests] == ["POST /v1/checkout/sessions"] * 2
    assert len(stripe.sessions) == 1


def test_connections_are_refused_until_they_are_taken_again(
    connect: Connect, stripe: FakeStripe
) -> None:
    client = connect(retries=0)
    assert client.v1.balance.retrieve().livemode is False
    stripe.refuse_connections()
    assert isinstance(error_of(client.v1.balance.retrieve), package.APIConnectionError)
    stripe.accept_connections()
    assert client.v1.balance.retrieve().livemode is False


def test_a_key_is_of_one_mode_and_may_lack_a_permission(
    connect: Connect, stripe: FakeStripe, clock: Clock
) -> None:
    made = connect(LIVE_KEY).v1.checkout.sessions.create(basket(clock))
    assert made.livemode
    assert made.id.startswith("cs_live_")
    client = connect("rk_test_1")
    error = error_of(lambda: client.v1.checkout.sessions.retrieve(made.id))
    assert (error.http_status, error.code) == (404, "resource_missing")
    assert list(client.v1.checkout.sessions.list().auto_paging_iter()) == []
    stripe.api.lacks = {"GET /v1/checkout/*"}
    error = error_of(lambda: client.v1.checkout.sessions.retrieve(made.id))
    assert isinstance(error, package.PermissionError)
    assert isinstance(
        error_of(connect("pk_test_1").v1.balance.retrieve), package.AuthenticationError
    )
