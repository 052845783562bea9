"""Held payments: staff take one as the payment of its order, or give its money back."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from pyramid.request import Request
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Document, Order, Payment, Refund, ShopEvent
from app.shop.payments import held
from app.shop.payments.asking import check_payment
from app.shop.payments.held import CannotRelease
from app.shop.payments.provider import ProviderError
from app.shop.payments.reconcile import reconcile
from app.web.background import background_request
from tests.support.at_once import at_once
from tests.support.databases import on_sqlite
from tests.support.shopping import order, put_into_basket
from tests.support.stripe import FakeStripe

Hold = Callable[..., Payment]


@pytest.fixture
def request_(app: Router) -> Request:
    return background_request(app.registry, "test")


@pytest.fixture
def hold(customer: TestApp, database: Database, stripe: FakeStripe, request_: Request) -> Hold:
    """Orders envelopes for 9.80 and pays them at Stripe, where the session then says something
    else: ``hold(amount_total=1)``.
    """

    def hold(**told: Any) -> Payment:
        put_into_basket(customer, "envelopes")
        order(customer)
        session = stripe.sessions[-1]
        stripe.pay(session["id"])
        session |= told
        payment = payments_in(database)[-1]
        check_payment(request_, payment, by="test")
        payment = payments_in(database)[-1]
        assert payment.state == "held"
        return payment

    return hold


def rows(database: Database, model: type[Any], by: Any) -> list[Any]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(model).order_by(by)))


def payments_in(database: Database) -> list[Payment]:
    return rows(database, Payment, Payment.created_at)


def orders_in(database: Database) -> list[Order]:
    return rows(database, Order, Order.id)


def receipts_in(database: Database) -> list[Document]:
    documents = rows(database, Document, Document.id)
    return [document for document in documents if document.kind == "receipt"]


def test_a_held_payment_pays_its_order_once_staff_accept_it(
    hold: Hold, request_: Request, database: Database, mailbox: Mailbox
) -> None:
    payment = hold(amount_total=900)
    assert len(mailbox.all(kind="shop_notice")) == 1

    released = held.accept(request_, payment.id, by="pillarbox payments")

    [paid], [placed], [receipt] = payments_in(database), orders_in(database), receipts_in(database)
    assert (released.order_number, released.receipt_number) == (placed.number, receipt.full_number)
    assert (released.came, released.total, released.currency) == (900, 980, "EUR")
    assert (paid.state, placed.state) == ("paid", "paid")
    # No more than what came can be refunded.
    assert paid.amount == 900
    assert len(mailbox.all(kind="purchase_receipt")) == 1
    event = rows(database, ShopEvent, ShopEvent.id)[-1]
    assert (event.kind, event.by) == ("payment accepted", "pillarbox payments")
    assert event.detail == f"payment={payment.id} amount=900 EUR"


def test_a_decision_is_made_once(
    hold: Hold, request_: Request, database: Database, mailbox: Mailbox
) -> None:
    payment = hold(amount_total=900)
    held.accept(request_, payment.id, by="test")

    for decide in (held.accept, held.give_back):
        with pytest.raises(CannotRelease, match="is paid, not held"):
            decide(request_, payment.id, by="test")

    assert len(receipts_in(database)) == 1
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_two_decisions_at_once_are_one(
    hold: Hold, app: Router, database: Database, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=900)

    def decide(decision: Callable[..., object]) -> str:
        try:
            decision(background_request(app.registry, "test"), payment.id, by="test")
        except CannotRelease:
            return "refused"
        return "done"

    outcomes = at_once(decide, [held.accept, held.give_back])

    assert sorted(outcomes) == ["done", "refused"]
    assert len(receipts_in(database)) + len(stripe.refunds) == 1


@on_sqlite
@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({"currency": "chf"}, "It was paid in CHF, and the order is in EUR."),
        ({"client_reference_id": "another"}, "It was paid for another payment .another.."),
        ({"client_reference_id": None}, "It was paid for another payment .without a name.."),
    ],
)
def test_only_the_amount_may_differ(
    hold: Hold,
    request_: Request,
    database: Database,
    mailbox: Mailbox,
    told: dict[str, Any],
    why: str,
) -> None:
    payment = hold(**told)

    with pytest.raises(CannotRelease, match=f"{why} Give it back with --refund."):
        held.accept(request_, payment.id, by="test")

    assert payments_in(database)[0].state == "held"
    assert orders_in(database)[0].state == "open"
    assert not receipts_in(database)
    assert not mailbox.all(kind="purchase_receipt")


@on_sqlite
def test_a_test_payment_pays_no_order_that_costs_money(
    hold: Hold, app: Router, request_: Request, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = hold(amount_total=900)
    provider = app.registry.payment_provider
    live = replace(provider.fetch(payment.session), livemode=True)
    monkeypatch.setattr(provider, "fetch", lambda session: live)

    with pytest.raises(CannotRelease, match="It is no test payment"):
        held.accept(request_, payment.id, by="test")

    assert not receipts_in(database)


def test_all_that_came_goes_back(
    hold: Hold, request_: Request, database: Database, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=1080)
    [charge] = stripe.charges
    charge["amount"] = 1080

    refund_id = held.give_back(request_, payment.id, by="pillarbox payments")

    [refund] = rows(database, Refund, Refund.created_at)
    assert (refund.id, refund.amount, refund.state) == (refund_id, 1080, "succeeded")
    assert refund.requested_by == "pillarbox payments"
    assert [made["amount"] for made in stripe.refunds] == [1080]
    assert orders_in(database)[0].state == "open"
    with pytest.raises(CannotRelease, match="goes back already"):
        held.give_back(request_, payment.id, by="test")
    assert len(stripe.refunds) == 1


def test_what_a_refund_at_stripe_left_of_a_held_payment_can_go_back(
    hold: Hold, app: Router, request_: Request, database: Database, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=900)
    stripe.refund_in_dashboard(payments_in(database)[0].intent, 300)
    reconcile(app.registry, is_daily_due=True)
    with pytest.raises(CannotRelease, match="A part of it has been refunded"):
        held.accept(request_, payment.id, by="test")

    held.give_back(request_, payment.id, by="test")

    assert [refund.amount for refund in rows(database, Refund, Refund.created_at)] == [300, 600]
    assert payments_in(database)[0].is_given_back


def test_a_held_payment_of_an_order_that_is_paid_cannot_pay_it_again(
    hold: Hold, request_: Request, database: Database
) -> None:
    payment = hold(amount_total=900)
    with database.transaction(write=True) as session:
        session.get_one(Order, payment.order_id).state = "paid"

    with pytest.raises(CannotRelease, match="is paid already by another payment"):
        held.accept(request_, payment.id, by="test")

    assert payments_in(database)[0].state == "held"
    assert not receipts_in(database)


@on_sqlite
def test_without_an_answer_of_the_provider_nothing_is_decided(
    hold: Hold, request_: Request, database: Database, stripe: FakeStripe
) -> None:
    payment = hold(amount_total=900)
    stripe.refuse_connections()

    for decide in (held.accept, held.give_back):
        with pytest.raises(ProviderError):
            decide(request_, payment.id, by="test")

    assert payments_in(database)[0].state == "held"
    assert not rows(database, Refund, Refund.created_at)


@on_sqlite
def test_a_payment_of_another_provider_waits_for_its_settings(
    hold: Hold, request_: Request, database: Database
) -> None:
    payment = hold(amount_total=900)
    with database.transaction(write=True) as session:
        session.get_one(Payment, payment.id).provider = "test"

    with pytest.raises(CannotRelease, match="made with the provider test, and the shop's"):
        held.accept(request_, payment.id, by="test")


@on_sqlite
def test_what_is_no_payment_is_said(request_: Request) -> None:
    with pytest.raises(CannotRelease, match="There is no payment nothing"):
        held.accept(request_, "nothing", by="test")
