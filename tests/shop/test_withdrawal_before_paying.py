"""Withdrawal from an order that is not paid: nobody pays for it any more (STANDARDS D13)."""

from datetime import timedelta

from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.clock import Clock
from tests.support.shopping import decide, order, orders_in, payments_in, put_into_basket
from tests.support.withdrawing import (
    refunds_in,
    state,
    withdraw,
    withdrawals_in,
)


def test_who_withdraws_before_paying_pays_nothing(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    put_into_basket(customer, "letter-paper")
    payment_page = order(customer).follow()
    number = orders_in(database)[0].number

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["accepted"]
    page = customer.get(f"/orders/{number}")
    assert "there is nothing to pay" in page.text
    assert not page.html.main.find("button")
    [acknowledged] = mailbox.all(kind="withdrawal_received")
    assert "There is nothing to pay back." in acknowledged.text_body

    # The payment page is still open in another tab.
    assert [payment.state for payment in payments_in(database)] == ["expired"]
    payment_page.forms[0].submit(status=303).follow()
    assert not orders_in(database)[0].is_paid


def test_money_that_was_on_its_way_before_a_withdrawal_goes_back(
    customer: TestApp, visitor: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "letter-paper")
    payment_page = order(customer).follow()
    number = orders_in(database)[0].number
    decide(payment_page, "pay_later").follow()
    withdraw(visitor, number)

    clock.advance(timedelta(minutes=1))
    customer.get(f"/orders/{number}")

    assert orders_in(database)[0].is_paid
    [refund] = refunds_in(database)
    assert (refund.amount, refund.state, refund.origin) == (1200, "succeeded", "withdrawal")


def test_money_that_nobody_told_us_of_before_a_withdrawal_goes_back(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    put_into_basket(customer, "letter-paper")
    order(customer).follow().forms[0].submit(status=303)

    withdraw(visitor, orders_in(database)[0].number)

    assert orders_in(database)[0].is_paid
    [refund] = refunds_in(database)
    assert (refund.amount, refund.state, refund.origin) == (1200, "succeeded", "withdrawal")


def test_who_withdraws_from_a_part_can_pay_for_the_rest(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    for slug in ("letter-paper", "envelopes"):
        put_into_basket(customer, slug)
    payment_page = order(customer).follow()
    form = state(visitor, orders_in(database)[0].number).forms[0]
    form["line-0"].checked = False
    form.submit(status=303)

    payment_page.forms[0].submit(status=303).follow()

    assert orders_in(database)[0].is_paid
    assert [refund.amount for refund in refunds_in(database)] == [980]
