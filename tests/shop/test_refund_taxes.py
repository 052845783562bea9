"""Refunds of random parts of random orders agree with the receipt to the cent at every VAT rate."""

import random
from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyramid.request import Request
from pyramid.router import Router
from sqlalchemy import select, update

from app.database.engine import Database
from app.shop.models import (
    Document,
    Payment,
    Refund,
    RefundOrigin,
    RefundState,
    TaxRate,
)
from app.shop.money import Tax, split, subtract, vat_in
from app.shop.payments.provider import RefundAsked
from app.shop.payments.provider_refunds import take_provider_refund
from app.shop.payments.refundable import MoreThanLeft, left_of
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.web.background import background_request
from tests.support.at_once import at_once
from tests.support.databases import on_sqlite
from tests.support.orders import place
from tests.support.paid_orders import TWO_LINES, RefundingProvider, buyer, pay, refund_documents_in
from tests.support.shopping import add_product

RATES = {"a": 1900, "b": 700, "c": 0, "d": 2550}
PRICES = (0, 1, 2, 3, 5, 7, 33, 99, 195, 1200, 99_999)


@pytest.fixture
def provider(app: Router) -> RefundingProvider:
    app.registry.payment_provider = RefundingProvider(app.registry)
    return app.registry.payment_provider


def add_goods(database: Database) -> None:
    """Sell goods of each price at each rate: ``a1200`` costs 12.00 at 19%."""
    with database.transaction(write=True) as session:
        for tax_class, rate in RATES.items():
            starts = date(2020, 1, 1)
            session.add(TaxRate(tax_class=tax_class, country="EU", starts_on=starts, rate=rate))
            for price in PRICES:
                add_product(session, f"{tax_class}{price}", price, tax_class=tax_class)


class Refunds:
    """The refunds of one paid order."""

    def __init__(self, app: Router, provider: RefundingProvider, payment: Payment) -> None:
        self.app, self.provider, self.payment_id = app, provider, payment.id
        self.database: Database = app.registry.database
        self.request: Request = background_request(app.registry, "test")

    def left(self, position: int | None = None) -> int:
        with self.database.transaction(write=False) as session:
            payment = session.get_one(Payment, self.payment_id)
            return left_of(session, payment.order, payment, position)

    def ask(self, amount: int, position: int | None, state: RefundState) -> None:
        self.provider.answer = self.provider.says(state)
        ask_for_refund(self.request, self.request_one(amount, position))

    def request_one(self, amount: int, position: int | None = None) -> str:
        values: dict[str, Any] = {"origin": RefundOrigin.SHOP, "by": "test"}
        with self.database.transaction(write=True) as session:
            payment = session.get_one(Payment, self.payment_id)
            refund = request_refund(
                self.request,
                session,
                payment.order,
                payment,
                amount=amount,
                position=position,
                **values,
            )
        return refund.id

    def rows(self, *states: RefundState) -> list[Refund]:
        with self.database.transaction(write=False) as session:
            mine = select(Refund).where(Refund.payment_id == self.payment_id)
            return list(session.scalars(mine.where(Refund.state.in_(states)).order_by(Refund.id)))

    def hear(self, refund: Refund, state: RefundState) -> None:
        asked = RefundAsked(refund.id, self.intent, refund.amount, refund.currency)
        result = replace(self.provider.says(state)(asked), reference=refund.reference or "")
        take_provider_refund(self.request, result, by="test")

    @property
    def intent(self) -> str:
        with self.database.transaction(write=False) as session:
            return session.get_one(Payment, self.payment_id).intent or ""

    def documented(self) -> tuple[Counter[int], Counter[int]]:
        """What the documents of refunds that stand give back at each rate: gross and VAT."""
        gross: Counter[int] = Counter()
        vat: Counter[int] = Counter()
        with self.database.transaction(write=False) as session:
            documents = (
                select(Document, Refund.amount)
                .join(Refund, Refund.id == Document.refund_id)
                .where(Refund.payment_id == self.payment_id, Refund.state == RefundState.SUCCEEDED)
            )
            for document, amount in session.execute(documents):
                assert document.data is not None
                taxes = [Tax(**tax) for tax in document.data["taxes"]]
                assert sum(tax.gross for tax in taxes) == amount
                for tax in taxes:
                    gross[tax.rate] += tax.gross
                    vat[tax.rate] += tax.vat
        return gross, vat

    def order_taxes(self) -> dict[int, Tax]:
        with self.database.transaction(write=False) as session:
            order = session.get_one(Payment, self.payment_id).order
            return {tax.rate: Tax(tax.rate, tax.gross, tax.vat) for tax in order.taxes}

    def lines(self) -> int:
        with self.database.transaction(write=False) as session:
            return len(session.get_one(Payment, self.payment_id).order.lines)


def refund_at_random(refunds: Refunds, chance: random.Random) -> None:
    """Do one of the things that happen to refunds."""
    open_ones = refunds.rows(RefundState.PENDING)
    if open_ones and chance.random() < 0.4:
        outcomes = [RefundState.SUCCEEDED, RefundState.SUCCEEDED, RefundState.FAILED]
        refunds.hear(chance.choice(open_ones), chance.choice(outcomes))
        return
    done = refunds.rows(RefundState.SUCCEEDED)
    if done and chance.random() < 0.1:
        refunds.hear(chance.choice(done), RefundState.FAILED)
        return
    position = chance.choice([None, *range(refunds.lines())])
    left = refunds.left(position)
    with pytest.raises(MoreThanLeft):
        refunds.ask(left + 1, position, RefundState.SUCCEEDED)
    if left:
        state = chance.choice([RefundState.SUCCEEDED, RefundState.PENDING])
        refunds.ask(chance.choice([left, chance.randint(1, left)]), position, state)


@on_sqlite
@pytest.mark.parametrize("seed", range(8))
def test_refunds_at_random_agree_with_the_receipt_in_the_end(
    app: Router, database: Database, provider: RefundingProvider, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    account = buyer(database)
    add_goods(database)
    slugs = [f"{tax_class}{price}" for tax_class in RATES for price in PRICES]
    for number in range(6):
        # The first product makes the total large enough to be charged.
        goods = {"a1200", *chance.sample(slugs, chance.randint(0, 6))}
        basket = {slug: chance.randint(1, 9) for slug in sorted(goods)}
        payment = place(app.registry, account, basket, basket_id=f"basket {number}")
        pay(app.registry, payment)
        refunds = Refunds(app, provider, payment)
        taxes = refunds.order_taxes()

        for _ in range(chance.randint(1, 12)):
            refund_at_random(refunds, chance)
            gross, vat = refunds.documented()
            for rate in gross:
                assert gross[rate] <= taxes[rate].gross
                assert 0 <= vat[rate] <= taxes[rate].vat
        for refund in refunds.rows(RefundState.PENDING):
            refunds.hear(refund, RefundState.SUCCEEDED)
        if refunds.left():
            refunds.ask(refunds.left(), None, RefundState.SUCCEEDED)

        gross, vat = refunds.documented()
        assert dict(+gross) == {rate: tax.gross for rate, tax in taxes.items() if tax.gross}
        assert dict(+vat) == {rate: tax.vat for rate, tax in taxes.items() if tax.vat}


def test_a_refund_of_the_order_leaves_what_a_refund_of_a_line_waits_for(
    app: Router, database: Database, provider: RefundingProvider
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    pay(app.registry, payment)
    refunds = Refunds(app, provider, payment)
    refunds.ask(1200, 0, RefundState.PENDING)
    refunds.ask(1600, None, RefundState.SUCCEEDED)
    assert refunds.documented()[0] == {700: 1600}

    [waiting] = refunds.rows(RefundState.PENDING)
    refunds.hear(waiting, RefundState.SUCCEEDED)

    assert refunds.documented() == ({700: 1600, 1900: 1200}, {700: 105, 1900: 192})


def test_a_refund_of_the_order_leaves_less_for_the_lines_of_each_rate(
    app: Router, database: Database, provider: RefundingProvider
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    pay(app.registry, payment)
    refunds = Refunds(app, provider, payment)
    refunds.ask(500, None, RefundState.SUCCEEDED)

    # 5.00 of 28.00, of which 12.00 are at 19% and 16.00 at 7%.
    assert refunds.documented()[0] == {1900: 214, 700: 286}
    assert refunds.left(0) == 1200 - 214
    assert refunds.left(1) == 1600 - 286


def test_refunds_at_once_do_not_take_from_a_rate_what_another_one_takes(
    app: Router, database: Database, provider: RefundingProvider
) -> None:
    account = buyer(database)
    add_goods(database)
    basket = {f"{tax_class}1": 1 for tax_class in RATES}
    payment = place(app.registry, account, basket, basket_id="basket")
    pay(app.registry, payment)
    refunds = Refunds(app, provider, payment)
    requested = [refunds.request_one(1) for _ in RATES]

    at_once(lambda refund_id: ask_for_refund(refunds.request, refund_id), requested)

    assert refunds.documented()[0] == dict.fromkeys(RATES.values(), 1)


@given(st.sampled_from([700, 1900, 2550]), st.integers(1, 300), st.randoms())
def test_no_part_holds_less_vat_than_none_whichever_refunds_are_undone(
    rate: int, gross: int, chance: random.Random
) -> None:
    whole = Tax(rate, gross, vat_in(gross, rate))
    standing: list[Tax] = []
    for _ in range(8):
        [left] = subtract([whole], standing)
        if left.gross:
            standing += split(chance.randint(1, left.gross), [left])
        if standing and chance.random() < 0.5:
            standing.remove(chance.choice(standing))
    [left] = subtract([whole], standing)
    standing += split(left.gross, [left])

    assert all(0 <= part.vat <= part.gross for part in standing)
    assert sum(part.gross for part in standing) == whole.gross
    assert sum(part.vat for part in standing) == whole.vat


def test_more_than_the_receipt_says_holds_no_vat(
    app: Router, database: Database, provider: RefundingProvider
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    pay(app.registry, payment)
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(amount=Payment.amount + 200))
    refunds = Refunds(app, provider, payment)

    refunds.ask(2900, None, RefundState.SUCCEEDED)
    refunds.ask(100, None, RefundState.SUCCEEDED)

    documents = refund_documents_in(database)
    taxes = [[tuple(tax.values()) for tax in row.data["taxes"]] for row in documents if row.data]
    assert taxes == [[(700, 1600, 105), (1900, 1200, 192)], []]
