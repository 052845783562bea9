"""The fake of Stripe does to the real package what Stripe does to it."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
import requests
import stripe as package
from stripe import StripeClient, Webhook

from tests.support.clock import Clock
from tests.support.stripe import KEY, LIVE_KEY, SECRET, FakeStripe, Json, NotPayable
from tests.support.waiting import eventually

Connect = Callable[..., StripeClient]
CARD = "payment_intent.latest_charge"


@pytest.fixture
def connect(stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """Makes clients: the real package, set up as the shop does it."""
    monkeypatch.setattr(package, "enable_telemetry", False)
    with requests.Session() as session:

        def connect(key: str = KEY, seconds: float = 4, retries: int = 1) -> StripeClient:
            http = package.RequestsClient(timeout=(2, seconds), session=session)
            address = {"api": stripe.url}
            return StripeClient(
                key, base_addresses=address, http_client=http, max_network_retries=retries
            )

        yield connect


@pytest.fixture
def client(connect: Connect) -> StripeClient:
    return connect()


def basket(clock: Clock, **others: Any) -> Any:
    """The parameters of a session over 24 euros."""
    price = {"currency": "eur", "unit_amount": 1200, "product_data": {"name": "Maps & <Atlases>"}}
    return {
        "mode": "payment",
        "line_items": [{"quantity": 2, "price_data": price}],
        "client_reference_id": "payment-1",
        "metadata": {"order": "K7"},
        "payment_intent_data": {"metadata": {"order": "K7"}},
        "customer_email": "ada@example.org",
        "expires_at": int((clock.now + timedelta(hours=1)).timestamp()),
        "success_url": "https://shop.test/orders/K7?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.test/basket",
        "adaptive_pricing": {"enabled": False},
    } | others


def paid_intent(client: StripeClient, stripe: FakeStripe, clock: Clock) -> str:
    """The payment intent of a session that was paid by card."""
    id: str = stripe.pay(client.v1.checkout.sessions.create(basket(clock)).id)["payment_intent"]
    return id


def error_of(ask: Callable[[], object]) -> package.StripeError:
    with pytest.raises(package.StripeError) as caught:
        ask()
    return caught.value


def types(events: list[Json]) -> list[str]:
    return [event["type"] for event in events]


def test_a_session_is_paid_and_shows_its_card(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    made = client.v1.checkout.sessions.create(basket(clock))
    assert (made.status, made.payment_status, made.payment_intent) == ("open", "unpaid", None)
    assert (made.amount_total, made.currency, made.livemode) == (2400, "eur", False)
    assert made.id.startswith("cs_test_")
    stripe.pay(made.id, "mastercard", "4444")
    paid = client.v1.checkout.sessions.retrieve(made.id, {"expand": [CARD, "line_items"]})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    charge = paid.payment_intent.latest_charge
    assert charge.payment_method_details.card.last4 == "4444"
    assert charge.calculated_statement_descriptor == "PILLARBOX TEST"
    assert paid.payment_intent.metadata["order"] == "K7"
    assert paid.line_items.data[0].description == "Maps & <Atlases>"
    assert types(stripe.events) == ["checkout.session.completed"]
    with pytest.raises(NotPayable):
        stripe.pay(made.id)


@pytest.mark.parametrize(
    ("others", "code", "param"),
    [
        ({"receipt": "yes"}, "parameter_unknown", "receipt"),
        ({"automatic_tax": {"on": True}}, "parameter_unknown", "automatic_tax[on]"),
        ({"expires_at": "soon"}, "parameter_invalid_integer", "expires_at"),
        ({"customer_email": "nobody"}, "email_invalid", "customer_email"),
        ({"client_reference_id": ""}, "parameter_invalid_empty", "client_reference_id"),
        ({"locale": "tlh"}, None, "locale"),
    ],
)
def test_a_parameter_that_stripe_does_not_take_is_a_400(
    client: StripeClient, clock: Clock, others: Json, code: str | None, param: str
) -> None:
    error: Any = error_of(lambda: client.v1.checkout.sessions.create(basket(clock, **others)))
    assert isinstance(error, package.InvalidRequestError)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("minutes", "message"),
    [(29, "must be at least 30 minutes"), (24 * 60 + 1, "must be less than 24 hours")],
)
def test_a_session_lasts_half_an_hour_to_a_day(
    client: StripeClient, clock: Clock, minutes: int, message: str
) -> None:
    expires_at = int((clock.now + timedelta(minutes=minutes)).timestamp())
    with pytest.raises(package.InvalidRequestError, match=message):
        client.v1.checkout.sessions.create(basket(clock, expires_at=expires_at))


def items_over(amount: int, currency: str) -> list[Json]:
    """Two line items that cost this together."""
    return [
        {
            "quantity": 1,
            "price_data": {
                "currency": currency,
                "unit_amount": part,
                "product_data": {"name": "Half"},
            },
        }
        for part in (amount // 2, amount - amount // 2)
    ]


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        (49, "eur", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (100_000_000, "usd", "amount_too_large"),
    ],
)
def test_too_little_and_too_much_is_a_400(
    client: StripeClient, clock: Clock, amount: int, currency: str, code: str
) -> None:
    items = items_over(amount, currency)
    error = error_of(lambda: client.v1.checkout.sessions.create(basket(clock, line_items=items)))
    assert (error.http_status, error.code) == (400, code)


@pytest.mark.parametrize(("amount", "currency"), [(50, "EUR"), (30, "gbp"), (99_999_999, "jpy")])
def test_the_least_and_the_most_is_taken(
    client: StripeClient, clock: Clock, amount: int, currency: str
) -> None:
    items = items_over(amount, currency)
    made = client.v1.checkout.sessions.create(basket(clock, line_items=items))
    assert (made.amount_total, made.currency) == (amount, currency.lower())


def test_a_session_ends_with_its_time_or_when_it_is_told_to_while_it_is_open(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    first = client.v1.checkout.sessions.create(basket(clock)).id
    second = client.v1.checkout.sessions.create(basket(clock)).id
    assert client.v1.checkout.sessions.expire(first).status == "expired"
    error = error_of(lambda: client.v1.checkout.sessions.expire(first))
    assert "has a status of `expired`" in str(error)
    clock.advance(timedelta(hours=1))
    assert client.v1.checkout.sessions.retrieve(second).status == "expired"
    assert types(stripe.events) == ["checkout.session.expired"] * 2
    with pytest.raises(NotPayable):
        stripe.pay(second)


def test_a_delayed_payment_succeeds_or_fails_later(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    good, bad = (client.v1.checkout.sessions.create(basket(clock)).id for _ in range(2))
    for id in (good, bad):
        stripe.pay_later(id)
        waiting = client.v1.checkout.sessions.retrieve(id, {"expand": ["payment_intent"]})
        assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
        assert waiting.payment_intent.status == "processing"
    stripe.succeed_later(good)
    stripe.fail_later(bad)
    assert client.v1.checkout.sessions.retrieve(good).payment_status == "paid"
    failed = client.v1.checkout.sessions.retrieve(bad, {"expand": [CARD]})
    assert (failed.status, failed.payment_status) == ("complete", "unpaid")
    assert failed.payment_intent.status == "requires_payment_method"
    assert failed.payment_intent.latest_charge.payment_method_details.sepa_debit.last4 == "3000"
    assert types(stripe.events)[2:] == [
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
    ]


def test_one_key_makes_one_session_and_takes_no_other_parameters(
    client: StripeClient, stripe: FakeStripe, clock: Clock
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
    client: StripeClient, stripe: FakeStripe, clock: Clock
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
    client: StripeClient, stripe: FakeStripe, clock: Clock
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

    def create() -> str:
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


def test_a_refund_takes_no_more_than_is_left(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    intent = paid_intent(client, stripe, clock)

    def refund(amount: int) -> Any:
        return client.v1.refunds.create({"payment_intent": intent, "amount": amount})

    assert refund(1000).status == "succeeded"
    error: Any = error_of(lambda: refund(1500))
    assert "(€15.00) is greater than unrefunded amount on charge (€14.00)" in str(error)
    assert error.param == "amount"
    stripe.next_refund("pending")
    pending = refund(1400)
    assert pending.status == "pending"
    assert error_of(lambda: refund(1)).code == "charge_already_refunded"
    stripe.change_refund(pending.id, "failed")
    assert client.v1.refunds.retrieve(pending.id).failure_reason
    stripe.refund_in_dashboard(intent)
    [charge] = stripe.charges
    assert (charge["amount_refunded"], charge["refunded"]) == (2400, True)
    assert types(stripe.events)[1:] == [
        *("refund.created", "charge.refunded") * 2,
        *("refund.updated", "refund.failed"),
        *("refund.created", "charge.refunded"),
    ]
    last = client.v1.refunds.list({"charge": charge["id"]}).data[0]
    assert (last.amount, last.metadata.to_dict()) == (1400, {})


def test_a_delayed_payment_cannot_be_refunded_before_it_is_paid(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    session = client.v1.checkout.sessions.create(basket(clock)).id
    intent = stripe.pay_later(session)["payment_intent"]
    error = error_of(lambda: client.v1.refunds.create({"payment_intent": intent}))
    assert "does not have a successful charge" in str(error)


def test_a_dispute_is_opened_and_closed(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    intent = paid_intent(client, stripe, clock)
    id = stripe.dispute(intent)["id"]
    assert client.v1.disputes.retrieve(id).payment_intent == intent
    error = error_of(lambda: client.v1.refunds.create({"payment_intent": intent}))
    assert error.code == "charge_disputed"
    stripe.close_dispute(id, "won")
    assert types(stripe.events)[1:] == ["charge.dispute.created", "charge.dispute.closed"]


def test_the_package_finds_the_signature_of_an_event_right(
    client: StripeClient, stripe: FakeStripe, clock: Clock
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
    client: StripeClient, stripe: FakeStripe, clock: Clock
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
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    # Another fake is the webhook: it takes the second try.
    with FakeStripe(clock) as webhook:
        webhook.fail("POST /v1/refunds", 500)
        stripe.deliver_by_itself(f"{webhook.url}/v1/refunds")
        paid_intent(client, stripe, clock)
        eventually(lambda: len(webhook.requests) > 2, what="the event to come again")
    assert webhook.requests[0].headers["stripe-signature"].startswith("t=")


def test_lists_come_page_by_page_the_newest_first(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    made = []
    for _ in range(5):
        clock.advance(timedelta(minutes=1))
        made.append(client.v1.checkout.sessions.create(basket(clock)).id)
    stripe.pay(made[1])
    since = int(clock.now.timestamp()) - 200
    parameters: Any = {"created": {"gte": since}, "limit": 2, "expand": [f"data.{CARD}"]}
    page = client.v1.checkout.sessions.list(parameters)
    assert ([session.id for session in page.data], page.has_more) == (made[:-3:-1], True)
    found = list(page.auto_paging_iter())
    assert [session.id for session in found] == made[:0:-1]
    assert found[-1].payment_intent.latest_charge.paid
    assert [s.id for s in client.v1.checkout.sessions.list({"status": "complete"})] == [made[1]]


def test_a_client_gives_up_when_the_fake_hangs_and_finds_its_work_later(
    connect: Connect, stripe: FakeStripe, clock: Clock
) -> None:
    client = connect(seconds=0.2, retries=0)
    hanging = stripe.hang("POST /v1/checkout/*")

    def create() -> str:
        return client.v1.checkout.sessions.create(basket(clock), {"idempotency_key": "k"}).id

    assert isinstance(error_of(create), package.APIConnectionError)
    assert (hanging.met, stripe.sessions) == (1, [])
    hanging.release()
    assert [create(), create()] == [stripe.sessions[0]["id"]] * 2
    assert len(stripe.sessions) == 1


def test_a_connection_that_drops_after_the_work_is_made_good_by_the_packages_second_try(
    client: StripeClient, stripe: FakeStripe, clock: Clock
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


def test_webhook_endpoints_and_the_account_can_be_checked(
    client: StripeClient, stripe: FakeStripe
) -> None:
    stripe.add_webhook("https://shop.test/webhooks/stripe", ["refund.failed"], "disabled")
    stripe.add_webhook("https://shop.test/webhooks/stripe", livemode=True)
    [found] = client.v1.webhook_endpoints.list().data
    assert (found.status, found.enabled_events) == ("disabled", ["refund.failed"])
    assert client.v1.accounts.retrieve_current().settings.payments is not None


def test_the_page_takes_money_until_the_session_is_over(
    client: StripeClient, stripe: FakeStripe, clock: Clock
) -> None:
    made = client.v1.checkout.sessions.create(basket(clock))
    assert made.url is not None
    with requests.Session() as browser:
        shown = browser.get(made.url, timeout=4).text
        assert "2 × Maps &amp; &lt;Atlases&gt;" in shown
        assert "€24.00" in shown
        assert 'href="https://shop.test/basket"' in shown

        def press(button: str) -> requests.Response:
            return browser.post(made.url, {"button": button}, timeout=4, allow_redirects=False)

        assert press("decline").status_code == 303
        assert "declined" in browser.get(made.url, timeout=4).text
        paid = press("pay")
        assert paid.headers["Location"] == f"https://shop.test/orders/K7?session={made.id}"
        assert "You have paid" in browser.get(made.url, timeout=4).text
        # A second click finds that it is over.
        assert press("pay").headers["Location"].endswith(f"/c/pay/{made.id}")
    assert [charge["status"] for charge in stripe.charges] == ["failed", "succeeded"]
