"""Refunds of payments that are not as they should be."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Order, Payment, RefundOrigin, Withdrawal
from app.shop.payments.asking import settle_result
from app.shop.payments.provider import PaymentOutcome
from app.shop.payments.reconcile import reconcile
from app.shop.payments.refundable import CannotRefund, reserve
from app.shop.payments.refunds import ask_for_refund, refund_held, refunds_of, request_refund
from app.shop.withdrawal import Statement, receive
from app.web.background import background_request
from tests.support.accounts import ANNA
from tests.support.at_once import at_once
from tests.support.clock import Clock
from tests.support.databases import on_postgresql
from tests.support.orders import place
from tests.support.paid_orders import (
    TWO_LINES,
    RefundingProvider,
    buyer,
    pay,
    payment_in,
    refund_documents_in,
    refunds_in,
    rows,
)
from tests.support.refunding import ALL, Refunding, by_hand
from tests.support.rows import count


def test_an_unpaid_payment_has_nothing_to_refund(
    app: Router, database: Database, provider: RefundingProvider
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(intent="test_intent"))
        payment = session.get_one(Payment, payment.id)
        with pytest.raises(CannotRefund, match="not paid"):
            request_refund(
                background_request(app.registry, "test"),
                session,
                payment.order,
                payment,
                amount=1,
                origin=RefundOrigin.SHOP,
                by="test",
            )


def test_only_the_provider_that_took_the_money_gives_it_back(
    database: Database, refund: Refunding, provider: RefundingProvider
) -> None:
    provider.name = "stripe"
    told = r"made with test \(test\), and the shop's provider is stripe \(test\) now"
    with pytest.raises(CannotRefund, match=told):
        refund(500)
    assert payment_in(database).refunded == 0


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"name": "stripe"}, "made with test (test), and the shop's provider is stripe (test) now"),
        ({"is_test": False}, "made with test (test), and the shop's provider is test (live) now"),
    ],
)
def test_a_refund_that_waits_for_another_provider_or_mode_is_told_to_the_shop_once(
    app: Router,
    database: Database,
    provider: RefundingProvider,
    number: str,
    request_of: Refunding,
    clock: Clock,
    mailbox: Mailbox,
    now: dict[str, Any],
    told: str,
) -> None:
    request_of(500)
    vars(provider).update(now)
    clock.advance(timedelta(minutes=59))
    reconcile(app.registry)
    assert not mailbox.all(kind="shop_notice")

    for _ in range(2):
        clock.advance(timedelta(minutes=5))
        reconcile(app.registry)

    [notice] = mailbox.all(kind="shop_notice")
    words = " ".join((notice.text_body or "").split())
    for fact in (number, "€5.00", told, "pillarbox reconcile "):
        assert fact in words, fact
    assert not provider.asked
    for name in now:
        delattr(provider, name)
    reconcile(app.registry)
    assert [row.state for row in refunds_in(database)] == ["succeeded"]


def test_an_order_paid_twice_gives_the_second_payment_back_with_one_document(
    app: Router, database: Database, provider: RefundingProvider, mailbox: Mailbox
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    with database.transaction(write=True) as session:
        first = session.get_one(Payment, payment.id)
        names = {column.name for column in Payment.__table__.columns}
        copied = {name: getattr(first, name) for name in names - {"id", "attempt", "session"}}
        session.add(Payment(id=secrets.token_hex(16), attempt=2, session="second", **copied))
    pay(app.registry, payment)
    result = provider.fetch(payment.session or "")
    [_, second] = sorted(rows(database, Payment), key=lambda row: row.attempt)

    paid = replace(result, payment_id=second.id, intent="second")
    for _ in range(2):
        settle_result(background_request(app.registry, "test"), second.id, paid, by="test")

    [row] = refunds_in(database)
    assert (row.origin, row.state, row.payment_id) == ("paid twice", "succeeded", second.id)
    assert len(refund_documents_in(database)) == 1
    assert len(mailbox.all(kind="refund_receipt")) == 1


@pytest.mark.parametrize("came", [ALL - 1, ALL + 1])
def test_a_held_payment_gives_back_what_came(
    app: Router, database: Database, provider: RefundingProvider, mailbox: Mailbox, came: int
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    provider.decide(payment.session or "", PaymentOutcome.PAID)
    result = replace(provider.fetch(payment.session or ""), amount=came)
    request = background_request(app.registry, "test")
    settle_result(request, payment.id, result, by="test")
    assert payment_in(database).state == "held"

    def give_back(_: int) -> str | None:
        with database.transaction(write=True) as session:
            held = session.get_one(Payment, payment.id)
            try:
                refund_id = refund_held(request, session, held, by="test").id
            except CannotRefund:
                return None
        ask_for_refund(request, refund_id)
        return refund_id

    assert at_once(give_back, range(3)).count(None) == 2
    assert [asked.amount for asked in provider.asked] == [came]
    [row] = refunds_in(database)
    assert (row.state, row.amount) == ("succeeded", came)
    held = payment_in(database)
    assert (held.state, held.refunded) == ("held", came)
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_a_held_payment_can_be_refunded_at_the_provider(
    app: Router,
    database: Database,
    provider: RefundingProvider,
    take: Callable[..., None],
    mailbox: Mailbox,
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    provider.decide(payment.session or "", PaymentOutcome.PAID)
    result = replace(provider.fetch(payment.session or ""), amount=ALL - 1)
    settle_result(background_request(app.registry, "test"), payment.id, result, by="test")

    take(by_hand(database, ALL - 1))

    [row] = refunds_in(database)
    assert (row.origin, row.state, row.amount) == ("dashboard", "succeeded", ALL - 1)
    [document] = refund_documents_in(database)
    assert document.data is not None
    assert document.data["taxes"] == []
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_an_order_knows_its_refunds(database: Database, refund: Refunding, number: str) -> None:
    refund(100)
    refund(200)
    with database.transaction(write=False) as session:
        order = session.scalars(select(Order).where(Order.number == number)).one()
        assert sorted(row.amount for row in refunds_of(session, order)) == [100, 200]


@on_postgresql
def test_a_refund_and_a_withdrawal_at_once_do_not_wait_for_each_other_for_ever(
    app: Router,
    database: Database,
    number: str,
    refund: Refunding,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    withdrawal_has_order, refund_has_payment = Event(), Event()

    def reserve_in_turn(session: Session, payment: Payment, amount: int) -> bool:
        is_refund = amount == 500
        withdrawal_has_order.wait(20) if is_refund else withdrawal_has_order.set()
        if not is_refund:
            refund_has_payment.wait(20)
        reserved = reserve(session, payment, amount)
        refund_has_payment.set()
        return reserved

    def withdraw() -> None:
        statement = Statement("token", "Anna", number, ANNA)
        with database.transaction(write=True) as session:
            receive(background_request(app.registry, "test"), session, statement, None)

    monkeypatch.setattr("app.shop.payments.refunds.reserve", reserve_in_turn)
    at_once(lambda act: act(), [withdraw, lambda: refund(500)])

    assert "succeeded" in [row.state for row in refunds_in(database) if row.amount == 500]
    assert count(database, Withdrawal) == 1
