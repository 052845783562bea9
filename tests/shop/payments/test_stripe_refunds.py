"""Refunds at Stripe: one refund there for each of ours, whatever becomes of the answers."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pyramid.router import Router

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Payment, RefundOrigin
from app.shop.payments.asking import check_payment
from app.shop.payments.reconcile import reconcile
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.web.background import background_request
from tests.support.accounts import ANNA
from tests.support.clock import Clock
from tests.support.orders import place
from tests.support.paid_orders import (
    TWO_LINES,
    buyer,
    payment_in,
    refund_documents_in,
    refunds_in,
)
from tests.support.stripe import FakeStripe

ALL = 2800
Post = Callable[[bytes, dict[str, str]], int]


@pytest.fixture
def intent(app: Router, database: Database, stripe: FakeStripe) -> str:
    """Stripe's name for the payment of an order of 28.00."""
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    stripe.pay(payment.session or "")
    check_payment(background_request(app.registry, "test"), payment, by="test")
    intent = payment_in(database).intent
    assert intent is not None
    return intent


@pytest.fixture
def refund(app: Router, database: Database, intent: str) -> Callable[[int], str]:
    """Requests a refund, asks Stripe once, and returns the refund's id."""

    def refund_one(amount: int) -> str:
        request = background_request(app.registry, "test")
        with database.transaction(write=True) as session:
            payment = session.get_one(Payment, payment_in(database).id)
            values = {"amount": amount, "origin": RefundOrigin.SHOP, "by": "test"}
            refund = request_refund(request, session, payment.order, payment, **values)
        ask_for_refund(request, refund.id)
        return refund.id

    return refund_one


@pytest.fixture
def reconciled(app: Router, clock: Clock) -> Callable[[], None]:
    """Lets the reconciler run, after its time has come."""

    def run() -> None:
        clock.advance(timedelta(minutes=6))
        reconcile(app.registry)

    return run


def states(database: Database) -> list[str]:
    return [refund.state for refund in refunds_in(database)]


def test_a_refund_is_made_with_our_id_as_key_and_metadata(
    database: Database,
    stripe: FakeStripe,
    intent: str,
    refund: Callable[[int], str],
    mailbox: Mailbox,
) -> None:
    refund_id = refund(500)

    [made] = stripe.refunds
    assert (made["amount"], made["payment_intent"]) == (500, intent)
    assert made["metadata"] == {"refund": refund_id}
    [asked] = [request for request in stripe.requests if request.line == "POST /v1/refunds"]
    assert asked.idempotency_key == refund_id
    [row] = refunds_in(database)
    assert (row.state, row.reference) == ("succeeded", made["id"])
    assert len(mailbox.all(to=ANNA, kind="refund_receipt")) == 1


@pytest.mark.parametrize("when", ["before", "during", "after"])
@pytest.mark.parametrize("fault", ["fail", "drop"])
def test_a_refund_whose_answer_is_lost_is_made_once(
    database: Database,
    stripe: FakeStripe,
    refund: Callable[[int], str],
    reconciled: Callable[[], None],
    clock: Clock,
    mailbox: Mailbox,
    when: str,
    fault: str,
) -> None:
    # The library tries a dropped request once more by itself.
    times = 2 if fault == "drop" else 1
    getattr(stripe, fault)("POST /v1/refunds", when=when, times=times)
    refund(500)

    for _ in range(3):
        reconciled()
    if not stripe.refunds:
        # Stripe repeats its error for a day.
        assert (fault, when, states(database)) == ("fail", "during", ["requested"])
        clock.advance(timedelta(days=1))
        reconciled()

    assert [made["amount"] for made in stripe.refunds] == [500]
    assert states(database) == ["succeeded"]
    assert payment_in(database).refunded == 500
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_a_refund_is_not_made_again_when_stripe_has_forgotten_the_key(
    database: Database,
    stripe: FakeStripe,
    refund: Callable[[int], str],
    reconciled: Callable[[], None],
    clock: Clock,
) -> None:
    stripe.fail("POST /v1/refunds", when="after")
    refund(500)
    assert states(database) == ["requested"]
    clock.advance(timedelta(days=5))

    reconciled()

    assert [made["amount"] for made in stripe.refunds] == [500]
    assert states(database) == ["succeeded"]


def test_a_pending_refund_succeeds_by_webhooks_in_any_order(
    database: Database,
    stripe: FakeStripe,
    refund: Callable[[int], str],
    webhook: Post,
    mailbox: Mailbox,
) -> None:
    stripe.next_refund("pending")
    refund(500)
    assert states(database) == ["pending"]
    assert not mailbox.all(kind="refund_receipt")
    [made] = stripe.refunds
    stripe.change_refund(made["id"], "succeeded")

    assert set(stripe.deliver(webhook, reverse=True, times=3)) == {200}

    assert states(database) == ["succeeded"]
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_a_pending_refund_succeeds_by_the_reconciler(
    database: Database,
    stripe: FakeStripe,
    refund: Callable[[int], str],
    reconciled: Callable[[], None],
    mailbox: Mailbox,
) -> None:
    stripe.next_refund("pending")
    refund(500)
    reconciled()
    assert states(database) == ["pending"]
    stripe.change_refund(stripe.refunds[0]["id"], "succeeded")

    reconciled()

    assert states(database) == ["succeeded"]
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_a_refund_that_stripe_does_not_know_does_not_keep_the_reconciler_from_others(
    database: Database,
    stripe: FakeStripe,
    refund: Callable[[int], str],
    reconciled: Callable[[], None],
    clock: Clock,
) -> None:
    stripe.next_refund("pending", "pending")
    refund(500)
    clock.advance(timedelta(minutes=1))
    refund(600)
    unknown, known = (made["id"] for made in stripe.refunds)
    del stripe.state.objects["refund"][unknown]
    stripe.change_refund(known, "succeeded")

    reconciled()

    assert states(database) == ["pending", "succeeded"]


@pytest.mark.parametrize("first", ["pending", "succeeded"])
def test_a_refund_that_fails_later_frees_its_amount_and_staff_are_told(
    database: Database,
    stripe: FakeStripe,
    refund: Callable[[int], str],
    webhook: Post,
    mailbox: Mailbox,
    first: str,
) -> None:
    stripe.next_refund(first)
    refund(ALL)
    stripe.change_refund(stripe.refunds[0]["id"], "failed")

    assert set(stripe.deliver(webhook, reverse=True, times=2)) == {200}

    assert states(database) == ["failed"]
    assert payment_in(database).refunded == 0
    [notice] = mailbox.all(kind="shop_notice")
    assert "expired_or_canceled_card" in notice.text_body
    sent = 1 if first == "succeeded" else 0
    assert len(mailbox.all(kind="refund_receipt")) == sent
    assert len(refund_documents_in(database)) == sent


def test_a_refund_that_stripe_refuses_has_failed_at_once(
    database: Database,
    stripe: FakeStripe,
    intent: str,
    refund: Callable[[int], str],
    mailbox: Mailbox,
) -> None:
    stripe.dispute(intent)

    refund(500)

    [row] = refunds_in(database)
    assert row.state == "failed"
    assert "charge_disputed" in (row.failure or "")
    assert "charge_disputed" in mailbox.latest(kind="shop_notice").text_body


@pytest.mark.parametrize("by", ["webhook", "reconciler"])
def test_a_refund_in_stripes_dashboard_gets_row_document_and_email(
    app: Router,
    database: Database,
    stripe: FakeStripe,
    intent: str,
    webhook: Post,
    mailbox: Mailbox,
    by: str,
) -> None:
    stripe.refund_in_dashboard(intent, 700)
    stripe.refund_in_dashboard(intent)

    for _ in range(2):
        if by == "webhook":
            assert set(stripe.deliver(webhook, reverse=True, times=2)) <= {200}
        else:
            reconcile(app.registry, is_daily_due=True)

    found = sorted((row.amount, row.origin, row.state) for row in refunds_in(database))
    assert found == [(700, "dashboard", "succeeded"), (2100, "dashboard", "succeeded")]
    assert payment_in(database).refunded == ALL
    assert len(mailbox.all(kind="refund_receipt")) == 2
    assert len(refund_documents_in(database)) == 2


def test_a_refund_in_the_dashboard_that_fails_later_is_free_again(
    database: Database, stripe: FakeStripe, intent: str, webhook: Post, mailbox: Mailbox
) -> None:
    made = stripe.refund_in_dashboard(intent, 700, "pending")
    stripe.deliver(webhook)
    assert states(database) == ["pending"]
    assert payment_in(database).refunded == 700
    stripe.change_refund(made["id"], "failed")

    stripe.deliver(webhook)

    assert states(database) == ["failed"]
    assert payment_in(database).refunded == 0
    assert len(mailbox.all(kind="shop_notice")) == 1


def test_a_refund_in_the_dashboard_wins_over_ours_that_stripe_does_not_know_yet(
    database: Database,
    stripe: FakeStripe,
    intent: str,
    refund: Callable[[int], str],
    reconciled: Callable[[], None],
    webhook: Post,
    mailbox: Mailbox,
) -> None:
    stripe.drop("GET /v1/refunds", when="before", times=2)
    refund(500)
    stripe.refund_in_dashboard(intent)
    assert set(stripe.deliver(webhook)) == {200}
    assert states(database) == ["requested"]

    reconciled()
    stripe.state.record("charge.refunded", stripe.charges[0])
    assert set(stripe.deliver(webhook)) == {200}

    found = sorted((row.origin, row.state, row.amount) for row in refunds_in(database))
    assert found == [("dashboard", "succeeded", ALL), ("shop", "failed", 500)]
    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert len(mailbox.all(kind="shop_notice")) == 1
