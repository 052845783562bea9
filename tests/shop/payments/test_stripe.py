"""Buying with Stripe: the real package, against our fake of Stripe's API."""

import logging
from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import update
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Payment
from app.shop.payments.reconcile import reconcile
from tests.shop.payments.conftest import Post
from tests.support.clock import Clock
from tests.support.shopping import order, orders_in, payments_in, put_into_basket
from tests.support.stripe import KEY, FakeStripe
from tests.support.stripe.shopping import order_envelopes, order_page, receipts, the_only_session


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


def test_that_another_process_has_compared_is_no_warning(
    app: Router, caplog: pytest.LogCaptureFixture
) -> None:
    reconcile(app.registry)
    with caplog.at_level(logging.INFO):
        reconcile(app.registry)
        reconcile(app.registry)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "payments and refunds not compared: this or another process did so within a day")
    ]


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
