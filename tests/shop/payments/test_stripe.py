"""Buying with Stripe: the real package, against our fake of Stripe's API."""

from datetime import timedelta
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Document, Payment, ShopEvent
from app.shop.payments.reconcile import reconcile
from tests.shop.payments.conftest import Post
from tests.support.clock import Clock
from tests.support.shopping import order, orders_in, put_into_basket
from tests.support.stripe import KEY, FakeStripe


def order_envelopes(customer: TestApp) -> str:
    """Order envelopes, and return the address of Stripe's page."""
    put_into_basket(customer, "envelopes")
    answer = order(customer)
    assert answer.status_int == 303
    return str(answer.location)


def order_page(customer: TestApp, database: Database, query: str = "") -> TestResponse:
    return customer.get(f"/orders/{orders_in(database)[-1].number}{query}")


def payments_in(database: Database) -> list[Payment]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Payment).order_by(Payment.attempt)))


def the_only_session(stripe: FakeStripe) -> Any:
    [session] = stripe.sessions
    return session


def receipts(database: Database) -> list[str]:
    with database.transaction(write=False) as session:
        return [document.full_number for document in session.scalars(select(Document))]


def test_a_session_says_what_the_order_says(
    customer: TestApp, stripe: FakeStripe, database: Database
) -> None:
    url = order_envelopes(customer)

    session, [payment], [placed] = (
        the_only_session(stripe),
        payments_in(database),
        orders_in(database),
    )
    assert url == session["url"]
    assert payment.session == session["id"]
    assert session["client_reference_id"] == payment.id
    assert session["metadata"] == {"payment": payment.id, "order": placed.number}
    assert (session["amount_total"], session["currency"]) == (980, "eur")
    assert session["customer_email"] == "anna@example.org"
    assert session["expires_at"] == int(payment.expires_at.timestamp())
    assert session["success_url"] == f"http://localhost/orders/{placed.number}?returned=1"
    assert session["cancel_url"] == f"http://localhost/orders/{placed.number}"
    [request] = [r for r in stripe.requests if r.method == "POST"]
    assert request.headers["idempotency-key"] == payment.id
    assert "x-stripe-client-telemetry" not in request.headers
    assert "telemetry_id" not in request.headers["x-stripe-client-user-agent"]
    for word in ("receipt_email", "setup_future_usage", "customer_creation"):
        assert word not in str(request)


def test_the_pages_with_a_button_to_pay_let_their_forms_lead_to_stripe(
    customer: TestApp, stripe: FakeStripe, database: Database
) -> None:
    put_into_basket(customer, "envelopes")
    pages = [customer.get("/checkout"), order(customer, name="")]
    order(customer)
    pages.append(order_page(customer, database))

    for page in pages:
        policy = page.headers["Content-Security-Policy"]
        assert f"form-action 'self' {stripe.url};" in policy
    assert "form-action 'self';" in customer.get("/basket").headers["Content-Security-Policy"]


def test_who_comes_back_from_paying_has_paid_and_gets_the_receipt(
    customer: TestApp, stripe: FakeStripe, database: Database, mailbox: Mailbox
) -> None:
    order_envelopes(customer)
    stripe.pay(the_only_session(stripe)["id"], "mastercard", "4444")

    page = order_page(customer, database, "?returned=1")

    assert "Your order is paid" in page.text
    assert "Mastercard ending in 4444" in page.text
    assert len(mailbox.all(kind="purchase_receipt")) == 1
    [payment] = payments_in(database)
    assert payment.state == "paid"
    assert payment.intent == stripe.intents[0]["id"]
    assert payment.statement_name
    assert not payment.livemode
    assert receipts(database) == ["T-2026-000001"]


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


def test_the_reconciler_finds_a_payment_that_nobody_told_us_of(
    app: Router,
    customer: TestApp,
    stripe: FakeStripe,
    database: Database,
    mailbox: Mailbox,
    clock: Clock,
) -> None:
    # The first run of a day compares everything.
    reconcile(app.registry)
    order_envelopes(customer)
    stripe.pay(the_only_session(stripe)["id"])
    reconcile(app.registry)
    assert not orders_in(database)[0].is_paid

    clock.advance(timedelta(minutes=2))
    reconcile(app.registry)
    reconcile(app.registry)

    assert orders_in(database)[0].is_paid
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_once_a_day_the_reconciler_compares_what_stripe_knows_of_three_days(
    app: Router, customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    order_envelopes(customer)
    session = the_only_session(stripe)["id"]
    stripe.pay_later(session)
    clock.advance(timedelta(minutes=2))
    reconcile(app.registry)
    assert payments_in(database)[0].state == "processing"
    # Somebody has settled it wrongly, so nobody asks about it any more.
    with database.transaction(write=True) as database_session:
        database_session.execute(update(Payment).values(state="failed"))
    stripe.succeed_later(session)

    clock.advance(timedelta(hours=23))
    reconcile(app.registry)
    assert not orders_in(database)[0].is_paid
    clock.advance(timedelta(hours=1))
    reconcile(app.registry)

    assert orders_in(database)[0].is_paid


def test_a_payment_that_takes_days_is_told_and_cannot_be_paid_again(
    customer: TestApp, stripe: FakeStripe, database: Database, mailbox: Mailbox, webhook: Post
) -> None:
    order_envelopes(customer)
    session = the_only_session(stripe)["id"]
    stripe.pay_later(session)
    stripe.deliver(webhook, times=2)

    assert payments_in(database)[0].state == "processing"
    assert len(mailbox.all(kind="payment_pending")) == 1
    assert not mailbox.all(kind="purchase_receipt")
    number = orders_in(database)[0].number
    token = customer.get("/checkout").forms[0]["csrf_token"].value
    again = customer.post(f"/orders/{number}", {"csrf_token": token}, status=303)
    assert again.location.endswith(f"/orders/{number}")
    assert len(stripe.sessions) == 1

    stripe.succeed_later(session)
    stripe.deliver(webhook)
    assert orders_in(database)[0].is_paid
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_a_delayed_payment_that_fails_is_told_and_the_next_one_pays(
    customer: TestApp, stripe: FakeStripe, database: Database, mailbox: Mailbox, webhook: Post
) -> None:
    order_envelopes(customer)
    first = the_only_session(stripe)["id"]
    stripe.pay_later(first)
    stripe.fail_later(first)
    stripe.deliver(webhook, times=2)
    assert payments_in(database)[0].state == "failed"
    assert len(mailbox.all(kind="payment_failed")) == 1

    url = order_page(customer, database).forms[0].submit(status=303).location
    second = next(session for session in stripe.sessions if session["id"] != first)
    assert url == second["url"]
    stripe.pay(second["id"])
    stripe.deliver(webhook)

    assert orders_in(database)[0].is_paid
    assert [payment.state for payment in payments_in(database)] == ["failed", "paid"]


def test_a_session_that_expired_is_followed_by_a_second_one(
    customer: TestApp,
    stripe: FakeStripe,
    database: Database,
    mailbox: Mailbox,
    webhook: Post,
    clock: Clock,
) -> None:
    order_envelopes(customer)
    clock.advance(timedelta(minutes=61))

    url = order_page(customer, database).forms[0].submit(status=303).location
    assert len(stripe.sessions) == 2
    stripe.deliver(webhook)
    assert [payment.state for payment in payments_in(database)] == ["expired", "pending"]
    assert not mailbox.all(kind="payment_failed")

    [_, second] = stripe.sessions
    assert url == second["url"]
    stripe.pay(second["id"])
    assert "Your order is paid" in order_page(customer, database, "?returned=1").text


def test_pay_leads_to_the_same_page_as_long_as_it_is_open(
    customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    first = order_envelopes(customer)
    clock.advance(timedelta(minutes=50))

    assert order_page(customer, database).forms[0].submit(status=303).location == first
    assert len(stripe.sessions) == 1


def test_back_after_paying_does_not_lead_to_a_dead_page(
    customer: TestApp, stripe: FakeStripe, database: Database
) -> None:
    order_envelopes(customer)
    page = order_page(customer, database)
    stripe.pay(the_only_session(stripe)["id"])

    answer = page.forms[0].submit(status=303)

    assert answer.location.endswith(f"/orders/{orders_in(database)[0].number}")
    assert orders_in(database)[0].is_paid


def lose_the_session(database: Database) -> None:
    """As if the server had died after Stripe made the session, and before it was stored."""
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(session=None))


def test_a_session_that_was_not_stored_is_asked_for_again_and_is_the_same(
    customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    url = order_envelopes(customer)
    lose_the_session(database)

    clock.advance(timedelta(minutes=20))
    again = order_page(customer, database).forms[0].submit(status=303).location

    assert again == url == the_only_session(stripe)["url"]
    assert [payment.session for payment in payments_in(database)] == [stripe.sessions[0]["id"]]


def test_a_replayed_session_that_is_over_is_followed_by_the_next_one(
    customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    order_envelopes(customer)
    lose_the_session(database)
    stripe.expire(the_only_session(stripe)["id"])

    clock.advance(timedelta(minutes=20))
    url = order_page(customer, database).forms[0].submit(status=303).location

    first, second = stripe.sessions
    assert url == second["url"]
    assert first["id"] != second["id"]
    assert [payment.state for payment in payments_in(database)] == ["expired", "pending"]


def test_a_session_that_stripe_does_not_know_gives_way_to_the_next_one_after_its_hour(
    app: Router, customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    order_envelopes(customer)
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(session="cs_of_another_account"))
    page = order_page(customer, database)
    assert "could not be started" in page.forms[0].submit(status=303).follow().text

    clock.advance(timedelta(minutes=61))
    url = page.forms[0].submit(status=303).location

    assert url == stripe.sessions[-1]["url"]
    assert [payment.state for payment in payments_in(database)] == ["expired", "pending"]


def test_an_answer_that_gets_lost_once_is_asked_for_again_by_itself(
    customer: TestApp, stripe: FakeStripe
) -> None:
    stripe.drop("POST /v1/checkout/sessions", when="after")

    assert order_envelopes(customer) == the_only_session(stripe)["url"]


def test_a_payment_that_got_no_session_in_time_gives_way_to_the_next_one(
    customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    stripe.refuse_connections()
    put_into_basket(customer, "envelopes")
    page = order(customer).follow()
    stripe.accept_connections()

    # Stripe makes no session that closes within 30 minutes.
    clock.advance(timedelta(minutes=40))
    url = page.forms[0].submit(status=303).location

    assert url == the_only_session(stripe)["url"]
    assert [payment.state for payment in payments_in(database)] == ["expired", "pending"]


def test_the_reconciler_ends_a_payment_that_got_no_session(
    app: Router, customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    stripe.refuse_connections()
    put_into_basket(customer, "envelopes")
    order(customer)
    clock.advance(timedelta(minutes=60))

    reconcile(app.registry)

    assert [payment.state for payment in payments_in(database)] == ["expired"]


def test_a_stored_500_is_told_and_ends_with_the_hour(
    customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    stripe.fail("POST /v1/checkout/sessions", 500)
    put_into_basket(customer, "envelopes")
    page = order(customer).follow()
    assert "The payment could not be started" in page.text
    again = page.forms[0].submit(status=303).follow()
    assert "The payment could not be started" in again.text

    clock.advance(timedelta(minutes=60))
    again.forms[0].submit(status=303)

    assert [payment.state for payment in payments_in(database)] == ["expired", "pending"]
    assert len(stripe.sessions) == 1


def test_a_refused_key_closes_the_checkout_and_is_told_once(
    customer: TestApp, stripe: FakeStripe, database: Database, mailbox: Mailbox
) -> None:
    stripe.api.refuses_keys = True
    put_into_basket(customer, "envelopes")
    page = order(customer).follow()
    assert "The payment could not be started" in page.text

    customer.get("/checkout", status=503)
    page.forms[0].submit(status=303)

    assert len(mailbox.all(kind="shop_notice")) == 1
    assert KEY not in mailbox.latest(kind="shop_notice").text_body
    assert "pillarbox payments" in mailbox.latest(kind="shop_notice").text_body


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


def test_the_page_asks_stripe_at_most_every_ten_seconds(
    customer: TestApp, stripe: FakeStripe, database: Database, clock: Clock
) -> None:
    order_envelopes(customer)

    def asked() -> int:
        before = len(stripe.requests)
        order_page(customer, database, "?returned=1")
        return len(stripe.requests) - before

    assert asked() == 1
    assert asked() == 0
    clock.advance(timedelta(seconds=10))
    assert asked() == 1
