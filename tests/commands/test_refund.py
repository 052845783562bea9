"""``pillarbox refund``: what staff type, and what they are told."""

from dataclasses import replace
from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import select, update

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Order, Payment, RefundState
from app.shop.payments.provider import ProviderError, ProviderRefuses, RefundAsked, RefundResult
from app.shop.payments.test import TestProvider
from tests.support.databases import on_sqlite
from tests.support.orders import place
from tests.support.paid_orders import (
    TWO_LINES,
    buyer,
    paid_order,
    payment_in,
    refunds_in,
)
from tests.support.pillarbox_command import Pillarbox


@pytest.fixture
def number(app: Router) -> str:
    """A paid order of two lines: 12.00 and 16.00."""
    return paid_order(app.registry)


def test_a_whole_order_is_refunded(
    pillarbox: Pillarbox, ini: Path, database: Database, number: str, mailbox: Mailbox
) -> None:
    output = pillarbox("refund", ini, number).output

    assert f"Refunding €28.00 of order {number}." in output
    assert "Refunded. An email with the document goes to the customer." in output
    assert "€0.00 of €28.00 can still be refunded." in output
    [row] = refunds_in(database)
    assert (row.amount, row.state, row.position) == (2800, "succeeded", None)
    assert (row.origin, row.requested_by) == ("shop", "pillarbox refund")
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_a_part_of_a_line_is_refunded_with_a_reason(
    pillarbox: Pillarbox, ini: Path, database: Database, number: str, mailbox: Mailbox
) -> None:
    typed = number.lower().replace("-", "")
    arguments = "--line", 2, "--amount", "5.00", "--reason", " Pages are  missing. "
    output = pillarbox("refund", ini, typed, *arguments).output

    assert f"Refunding €5.00 of order {number}, line 2: Letters to Nobody." in output
    assert "€23.00 of €28.00 can still be refunded." in output
    [row] = refunds_in(database)
    assert (row.amount, row.position, row.reason) == (500, 1, "Pages are missing.")
    assert "Pages are missing." in mailbox.latest(kind="refund_receipt").text_body


def test_without_an_amount_all_that_is_left_is_refunded(
    pillarbox: Pillarbox, ini: Path, database: Database, number: str
) -> None:
    pillarbox("refund", ini, number, "--line", 1, "--amount", "2")
    pillarbox("refund", ini, number, "--line", 1)
    pillarbox("refund", ini, number)

    assert sorted(row.amount for row in refunds_in(database)) == [200, 1000, 1600]
    refused = pillarbox("refund", ini, number, code=1).output
    assert f"Order {number}: Nothing is left to refund. Nothing was refunded." in refused
    refused = pillarbox("refund", ini, number, "--line", 1, code=1).output
    assert "Nothing is left to refund." in refused


@on_sqlite
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--amount", "28.01"], "Only €28.00 can still be refunded. Nothing was refunded."),
        (["--amount", "9999999999"], "Only €28.00 can still be refunded."),
        (["--line", "1", "--amount", "12.01"], "Only €12.00 can still be refunded."),
        (["--line", "3"], "has no line 3. It has 2."),
        (["--amount", "0"], "must be more than 0"),
        *(
            (["--amount", text], "Write it like 5.00, without the currency.")
            for text in ("5,00", "5.0", "5.", ".50", "5.001", "€5.00", "-5.00", "", "٥", "1e3")
        ),
        (["--reason", "Bell\x07"], "all of them visible"),
        (["--reason", "a" * 501], "at most 500 characters"),
    ],
)
def test_what_cannot_be_refunded_is_refused_with_what_to_do(
    pillarbox: Pillarbox,
    ini: Path,
    database: Database,
    number: str,
    arguments: list[str],
    told: str,
) -> None:
    assert told in pillarbox("refund", ini, number, *arguments, code=1).output
    assert not refunds_in(database)
    assert payment_in(database).refunded == 0


@on_sqlite
def test_lines_begin_with_1(pillarbox: Pillarbox, ini: Path, number: str) -> None:
    assert "'--line'" in pillarbox("refund", ini, number, "--line", 0, code=2).output


@on_sqlite
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("7K3M-9QXW-2TBD", "is not an order number, or has a typing error"),
        ("", "is not an order number"),
        ("7K3M-9QXW-2TBS", "There is no order 7K3M-9QXW-2TBS. Check its number."),
    ],
)
def test_an_order_that_is_not_there_is_told(
    pillarbox: Pillarbox, ini: Path, typed: str, told: str
) -> None:
    assert told in pillarbox("refund", ini, typed, code=1).output


def test_an_unpaid_order_has_nothing_to_refund(
    pillarbox: Pillarbox, ini: Path, app: Router, database: Database
) -> None:
    payment = place(app.registry, buyer(database), TWO_LINES, basket_id="basket")
    with database.transaction(write=False) as session:
        number = session.get_one(Payment, payment.id).order.number

    told = pillarbox("refund", ini, number, code=1).output

    assert f"Order {number} is not paid" in told
    assert "pillarbox reconcile" in told
    with database.transaction(write=True) as session:
        session.execute(update(Payment).values(state="held"))
    told = pillarbox("refund", ini, number, code=1).output
    assert f"The payment of order {number} is held." in told
    assert "pillarbox payments INI release" in told


def test_amounts_have_the_decimals_of_their_currency(
    pillarbox: Pillarbox, ini: Path, database: Database, number: str
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Order).values(currency="JPY"))
        session.execute(update(Payment).values(currency="JPY"))

    refused = pillarbox("refund", ini, number, "--amount", "5.00", code=1).output
    assert "'5.00' is not an amount in JPY. Write it like 5, without" in refused
    assert "Refunding ¥5 of order" in pillarbox("refund", ini, number, "--amount", "5").output
    assert [row.amount for row in refunds_in(database)] == [5]


def answering(monkeypatch: pytest.MonkeyPatch, answer: ProviderError | RefundState) -> None:
    """Let the command's own provider answer so."""
    succeed = TestProvider.refund

    def refund(self: TestProvider, asked: RefundAsked) -> RefundResult:
        if isinstance(answer, ProviderError):
            raise answer
        return replace(succeed(self, asked), state=answer)

    monkeypatch.setattr(TestProvider, "refund", refund)


def test_a_refund_that_takes_its_time_is_pending(
    pillarbox: Pillarbox, ini: Path, number: str, monkeypatch: pytest.MonkeyPatch, mailbox: Mailbox
) -> None:
    answering(monkeypatch, RefundState.PENDING)
    output = pillarbox("refund", ini, number, "--amount", "5.00").output
    assert "Pending: Test will tell when the refund has succeeded." in output
    assert not mailbox.all(kind="refund_receipt")


def test_without_an_answer_staff_need_do_nothing(
    pillarbox: Pillarbox, ini: Path, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ProviderError("timed out"))
    output = pillarbox("refund", ini, number, "--amount", "5.00").output
    assert "Requested: Test has not made the refund yet (timed out). Do not repeat" in output
    assert "€23.00 of €28.00 can still be refunded." in output


def test_a_refund_that_is_refused_ends_with_code_1_and_the_cure(
    pillarbox: Pillarbox, ini: Path, number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, ProviderRefuses("charge_disputed"))
    output = pillarbox("refund", ini, number, code=1).output
    assert "Failed: Test refuses the refund (charge_disputed), and no money has moved." in output
    assert "€28.00 of €28.00 can still be refunded." in output


def test_of_an_order_that_was_paid_twice_the_second_payment_goes_back_first(
    pillarbox: Pillarbox, ini: Path, database: Database, number: str
) -> None:
    with database.transaction(write=True) as session:
        first = session.scalars(select(Payment)).one()
        second = Payment(
            id="second",
            order_id=first.order_id,
            attempt=2,
            provider=first.provider,
            intent="second",
            amount=first.amount,
            currency=first.currency,
            state="paid",
            created_at=first.created_at,
            expires_at=first.expires_at,
        )
        session.add(second)

    told = f"Order {number} was paid twice. The payment that came later goes back."
    assert told in pillarbox("refund", ini, number).output
    assert told not in pillarbox("refund", ini, number).output
    assert [row.payment_id for row in refunds_in(database)] == ["second", first.id]
    assert "Nothing is left to refund" in pillarbox("refund", ini, number, code=1).output
