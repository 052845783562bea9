"""Stripe's sessions: one at a time for an order, also when answers get lost."""

from datetime import timedelta

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
from tests.support.stripe import FakeStripe
from tests.support.stripe.shopping import order_envelopes, order_page, the_only_session
from tests.support.withdrawing import withdraw


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


def test_a_withdrawal_closes_the_page_where_the_order_could_be_paid(
    customer: TestApp, stripe: FakeStripe, database: Database, webhook: Post
) -> None:
    order_envelopes(customer)

    withdraw(customer, orders_in(database)[0].number)

    assert the_only_session(stripe)["status"] == "expired"
    assert [payment.state for payment in payments_in(database)] == ["expired"]
    assert set(stripe.deliver(webhook)) == {200}


def test_a_withdrawal_finds_the_money_that_nobody_told_us_of_and_gives_it_back(
    customer: TestApp, stripe: FakeStripe, database: Database
) -> None:
    order_envelopes(customer)
    stripe.pay(the_only_session(stripe)["id"])

    withdraw(customer, orders_in(database)[0].number)

    assert orders_in(database)[0].is_paid
    assert [refund["amount"] for refund in stripe.refunds] == [980]


def test_a_withdrawal_is_received_when_stripe_cannot_be_reached_and_late_money_goes_back(
    customer: TestApp, stripe: FakeStripe, database: Database, webhook: Post
) -> None:
    order_envelopes(customer)
    stripe.refuse_connections()
    page = withdraw(customer, orders_in(database)[0].number)
    stripe.accept_connections()
    assert page.html.h1.text == "We have received your withdrawal"

    stripe.pay(the_only_session(stripe)["id"])
    stripe.deliver(webhook)

    assert [refund["amount"] for refund in stripe.refunds] == [980]


def test_a_withdrawal_leaves_a_page_of_the_other_mode_alone(
    customer: TestApp, stripe: FakeStripe, database: Database
) -> None:
    order_envelopes(customer)
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(livemode=True))

    withdraw(customer, orders_in(database)[0].number)

    assert [payment.state for payment in payments_in(database)] == ["pending"]
