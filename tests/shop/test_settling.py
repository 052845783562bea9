"""Settling payments: in any order, any number of times, each once."""

from datetime import timedelta
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Payment, Refund
from app.shop.payments.provider import (
    PaymentOutcome,
    PaymentResult,
)
from app.shop.payments.settle import Settlement, settle
from app.web.background import background_request
from tests.support.clock import Clock
from tests.support.shopping import (
    buy,
    fail,
    order,
    orders_in,
    payments_in,
    put_into_basket,
    receipts_in,
)


def result_of(
    payment: Payment, outcome: PaymentOutcome = PaymentOutcome.PAID, **told: Any
) -> PaymentResult:
    """What the test provider says of this payment, unless ``told`` says otherwise."""
    facts = {
        "payment_id": payment.id,
        "amount": payment.amount,
        "currency": payment.currency,
        "livemode": False,
    }
    return PaymentResult(outcome, **(facts | told))


def settled(app: Router, payment: Payment, result: PaymentResult) -> Settlement:
    """Settle as the reconciler does, in a transaction of its own."""
    request = background_request(app.registry, "test")
    with app.registry.database.transaction(write=True) as session:
        return settle(request, session, payment.id, result, by="test")


def test_a_second_settle_changes_nothing(
    app: Router, customer: TestApp, database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    put_into_basket(customer, "envelopes")
    order(customer)
    [payment] = payments_in(database)

    assert not settled(app, payment, result_of(payment, PaymentOutcome.PENDING)).is_new
    assert settled(app, payment, result_of(payment)).is_new
    paid_at = orders_in(database)[0].paid_at
    clock.advance(timedelta(hours=1))
    assert not settled(app, payment, result_of(payment)).is_new
    assert not settled(app, payment, result_of(payment, PaymentOutcome.FAILED)).is_new
    assert [document.full_number for document in receipts_in(database)] == ["T-2026-000001"]
    assert len(mailbox.all(kind="purchase_receipt")) == 1
    assert orders_in(database)[0].paid_at == paid_at
    assert payments_in(database)[0].state == "paid"


def test_money_that_comes_after_a_failure_pays_the_order(
    app: Router, customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    fail(order(customer).follow(), clock)
    [payment] = payments_in(database)

    settled(app, payment, result_of(payment))

    assert [document.full_number for document in receipts_in(database)] == ["T-2026-000001"]
    assert orders_in(database)[0].state == "paid"


def test_money_for_an_order_that_is_paid_already_goes_back(
    app: Router, customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    failed = fail(order(customer).follow(), clock)
    failed.forms[0].submit().follow().forms[0].submit().follow()
    first, second = payments_in(database)

    [refund_id] = settled(app, first, result_of(first)).refund_ids

    first, second = payments_in(database)
    assert (first.state, first.refunded) == ("paid", first.amount)
    assert (second.state, second.refunded) == ("paid", 0)
    with database.transaction(write=False) as session:
        [refund] = session.scalars(select(Refund))
    assert (refund.id, refund.origin) == (refund_id, "paid twice")
    assert (refund.payment_id, refund.amount) == (first.id, first.amount)
    assert len(receipts_in(database)) == 1


@pytest.mark.parametrize(
    ("told", "because"),
    [
        ({"amount": 1}, "€0.01 came, €9.80 was asked"),
        ({"currency": "CHF"}, "CHF9.80 came, €9.80 was asked"),
        ({"payment_id": "other"}, "it was paid for payment other"),
        ({"payment_id": ""}, "it was paid for payment without a name"),
        ({"livemode": True}, "it is no test payment"),
    ],
)
def test_a_payment_that_does_not_match_is_held(
    app: Router,
    customer: TestApp,
    database: Database,
    mailbox: Mailbox,
    told: dict[str, Any],
    because: str,
) -> None:
    put_into_basket(customer, "envelopes")
    order(customer)
    [payment] = payments_in(database)

    settled(app, payment, result_of(payment, **told))

    [payment] = payments_in(database)
    assert (payment.state, payment.held_because) == ("held", because)
    assert orders_in(database)[0].state == "open"
    assert not receipts_in(database)
    assert not mailbox.all(kind="purchase_receipt")
    page = customer.get(f"/orders/{orders_in(database)[0].number}")
    assert "need to check it" in page.text
    assert not page.forms


def test_a_settle_that_is_rolled_back_gives_its_receipt_number_back(
    app: Router, customer: TestApp, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_into_basket(customer, "envelopes")
    order(customer)
    [payment] = payments_in(database)

    def out_of_paper(*_: Any) -> None:
        raise RuntimeError("out of paper")

    with monkeypatch.context() as patch:
        patch.setattr("app.shop.payments.settle.send_purchase_receipt", out_of_paper)
        with pytest.raises(RuntimeError):
            settled(app, payment, result_of(payment))
    assert payments_in(database)[0].state == "pending"

    buy(customer)
    assert [document.full_number for document in receipts_in(database)] == ["T-2026-000001"]
