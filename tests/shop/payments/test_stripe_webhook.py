"""What Stripe's events do to orders, and what no event may do."""

from typing import Any

import pytest
from sqlalchemy import select
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import ShopEvent
from tests.shop.payments.conftest import Post
from tests.support.shopping import orders_in, payments_in
from tests.support.stripe import FakeStripe
from tests.support.stripe.shopping import order_envelopes, receipts, the_only_session


def test_the_webhook_brings_the_receipt_when_the_browser_was_closed(
    customer: TestApp, stripe: FakeStripe, database: Database, mailbox: Mailbox, webhook: Post
) -> None:
    order_envelopes(customer)
    stripe.pay(the_only_session(stripe)["id"])

    assert set(stripe.deliver(webhook)) == {200}

    assert orders_in(database)[0].is_paid
    assert len(mailbox.all(kind="purchase_receipt")) == 1


@pytest.mark.parametrize("how", [{"times": 3}, {"reverse": True}, {"times": 2, "reverse": True}])
def test_events_may_come_in_any_order_and_several_times(
    customer: TestApp,
    stripe: FakeStripe,
    database: Database,
    mailbox: Mailbox,
    webhook: Post,
    how: dict[str, Any],
) -> None:
    order_envelopes(customer)
    session = the_only_session(stripe)["id"]
    stripe.pay_later(session)
    stripe.succeed_later(session)

    assert set(stripe.deliver(webhook, **how)) == {200}

    assert orders_in(database)[0].is_paid
    assert len(mailbox.all(kind="purchase_receipt")) == 1
    assert receipts(database) == ["T-2026-000001"]


def test_a_session_of_another_shop_is_left_alone(
    customer: TestApp, stripe: FakeStripe, database: Database, webhook: Post
) -> None:
    order_envelopes(customer)
    session = the_only_session(stripe)
    session["client_reference_id"] = "somebody else's"
    stripe.pay(session["id"])

    assert set(stripe.deliver(webhook)) == {200}

    assert not orders_in(database)[0].is_paid


def test_a_session_that_claims_another_amount_is_held(
    customer: TestApp, stripe: FakeStripe, database: Database, mailbox: Mailbox, webhook: Post
) -> None:
    order_envelopes(customer)
    session = the_only_session(stripe)
    session["amount_total"] = 1
    stripe.pay(session["id"])

    stripe.deliver(webhook, times=2)

    assert payments_in(database)[0].state == "held"
    assert not orders_in(database)[0].is_paid
    assert len(mailbox.all(kind="shop_notice")) == 1
    assert not mailbox.all(kind="purchase_receipt")


def test_an_event_that_could_not_be_acted_on_is_taken_again(
    customer: TestApp, stripe: FakeStripe, database: Database, webhook: Post
) -> None:
    order_envelopes(customer)
    stripe.pay(the_only_session(stripe)["id"])
    [event] = [e for e in stripe.events if e["type"] == "checkout.session.completed"]
    signed = stripe.signed(event)
    stripe.fail("GET /v1/checkout/sessions/*", 500, times=2)
    assert webhook(*signed) == 500
    with database.transaction(write=False) as session:
        assert not session.scalars(select(ShopEvent.provider_event)).all()

    assert webhook(*signed) == 200
    assert webhook(*signed) == 200

    assert orders_in(database)[0].is_paid
    with database.transaction(write=False) as session:
        told = session.scalars(select(ShopEvent).where(ShopEvent.provider_event.is_not(None)))
        assert [event_row.provider_event for event_row in told] == [event["id"]]


def test_an_event_about_something_that_our_key_does_not_find_is_left_alone(
    stripe: FakeStripe, webhook: Post
) -> None:
    # An object of the other mode, or of another account.
    for kind in ("checkout.session.completed", "refund.created", "charge.dispute.created"):
        event = {
            "id": f"evt_{kind}",
            "object": "event",
            "type": kind,
            "data": {"object": {"id": "cs_live_1"}},
        }
        assert webhook(*stripe.signed(event)) == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{}", 400), (b"\xff", 400), (b"[" * 100_000, 400), (b"x" * 2_000_000, 413)],
)
def test_what_stripe_did_not_sign_is_refused_without_a_traceback(
    webhook: Post, caplog: pytest.LogCaptureFixture, body: bytes, status: int
) -> None:
    assert webhook(body, {"Stripe-Signature": "t=1,v1=é"}) == status
    assert webhook(body, {}) == status
    assert not [record for record in caplog.records if record.exc_info]


def test_an_event_without_a_use_is_accepted(stripe: FakeStripe, webhook: Post) -> None:
    event = {
        "id": "evt_1",
        "object": "event",
        "type": "customer.created",
        "data": {"object": {"id": "cus_1"}},
    }
    assert webhook(*stripe.signed(event)) == 200
