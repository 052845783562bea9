"""The fake of Stripe shows the real package sessions, refunds and a page as Stripe does."""

from datetime import timedelta
from typing import Any

import pytest
import requests
import stripe as package

from tests.support.clock import Clock
from tests.support.stripe import FakeStripe, Json, NotPayable
from tests.support.stripe.client import Client, basket, error_of, paid_intent, types

CARD = "payment_intent.latest_charge"


def test_a_session_is_paid_and_shows_its_card(
    client: Client, stripe: FakeStripe, clock: Clock
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
    client: Client, clock: Clock, others: Json, code: str | None, param: str
) -> None:
    error = error_of(lambda: client.v1.checkout.sessions.create(basket(clock, **others)))
    assert isinstance(error, package.InvalidRequestError)
    assert (error.code, error.param) == (code, param)


@pytest.mark.parametrize(
    ("minutes", "message"),
    [(29, "must be at least 30 minutes"), (24 * 60 + 1, "must be less than 24 hours")],
)
def test_a_session_lasts_half_an_hour_to_a_day(
    client: Client, clock: Clock, minutes: int, message: str
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
    client: Client, clock: Clock, amount: int, currency: str, code: str
) -> None:
    items = items_over(amount, currency)
    error = error_of(lambda: client.v1.checkout.sessions.create(basket(clock, line_items=items)))
    assert (error.http_status, error.code) == (400, code)


@pytest.mark.parametrize(("amount", "currency"), [(50, "EUR"), (30, "gbp"), (99_999_999, "jpy")])
def test_the_least_and_the_most_is_taken(
    client: Client, clock: Clock, amount: int, currency: str
) -> None:
    items = items_over(amount, currency)
    made = client.v1.checkout.sessions.create(basket(clock, line_items=items))
    assert (made.amount_total, made.currency) == (amount, currency.lower())


def test_a_session_ends_with_its_time_or_when_it_is_told_to_while_it_is_open(
    client: Client, stripe: FakeStripe, clock: Clock
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
    client: Client, stripe: FakeStripe, clock: Clock
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


def test_a_refund_takes_no_more_than_is_left(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    intent = paid_intent(client, stripe, clock)

    def refund(amount: int) -> Any:
        return client.v1.refunds.create({"payment_intent": intent, "amount": amount})

    assert refund(1000).status == "succeeded"
    error = error_of(lambda: refund(1500))
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
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    session = client.v1.checkout.sessions.create(basket(clock)).id
    intent = stripe.pay_later(session)["payment_intent"]
    error = error_of(lambda: client.v1.refunds.create({"payment_intent": intent}))
    assert "does not have a successful charge" in str(error)


def test_a_dispute_is_opened_and_closed(client: Client, stripe: FakeStripe, clock: Clock) -> None:
    intent = paid_intent(client, stripe, clock)
    id = stripe.dispute(intent)["id"]
    assert client.v1.disputes.retrieve(id).payment_intent == intent
    error = error_of(lambda: client.v1.refunds.create({"payment_intent": intent}))
    assert error.code == "charge_disputed"
    stripe.close_dispute(id, "won")
    assert types(stripe.events)[1:] == ["charge.dispute.created", "charge.dispute.closed"]


def test_lists_come_page_by_page_the_newest_first(
    client: Client, stripe: FakeStripe, clock: Clock
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


def test_webhook_endpoints_and_the_account_can_be_checked(
    client: Client, stripe: FakeStripe
) -> None:
    stripe.add_webhook("https://shop.test/webhooks/stripe", ["refund.failed"], "disabled")
    stripe.add_webhook("https://shop.test/webhooks/stripe", livemode=True)
    [found] = client.v1.webhook_endpoints.list().data
    assert (found.status, found.enabled_events) == ("disabled", ["refund.failed"])
    assert client.v1.accounts.retrieve_current().settings.payments is not None


def test_the_page_takes_money_until_the_session_is_over(
    client: Client, stripe: FakeStripe, clock: Clock
) -> None:
    made = client.v1.checkout.sessions.create(basket(clock))
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
