"""What comes of a withdrawal from a contract (STANDARDS D13): refunds, decisions and emails."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import update
from webtest import TestApp

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.mail.testing import Mailbox
from app.shop.events import record
from app.shop.models import Order, OrderLine
from app.shop.payments.disputes import OPENED
from tests.support.accounts import ANNA
from tests.support.clock import Clock
from tests.support.paid_orders import refund
from tests.support.shopping import orders_in
from tests.support.withdrawing import (
    bought,
    lines_in,
    refunds_in,
    state,
    withdraw,
    withdrawals_in,
)


def test_what_was_not_downloaded_is_refunded_by_itself_and_closed(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)

    page = state(visitor, number)
    assert "I withdraw from my contract with Pillarbox" in page.text
    assert [button.text for button in page.html.main.find_all("button")] == ["Confirm withdrawal"]
    assert not withdrawals_in(database)
    received = page.forms[0].submit(status=303).follow()

    assert received.html.h1.text == "We have received your withdrawal"
    assert "Nov 22, 2026, 12:00" in received.text
    [withdrawal] = withdrawals_in(database)
    assert (withdrawal.state, withdrawal.positions) == ("accepted", [0])
    [refund] = refunds_in(database)
    assert (refund.amount, refund.state, refund.origin) == (1200, "succeeded", "withdrawal")
    assert lines_in(database)[0].closed_at is not None
    [acknowledged] = mailbox.all(kind="withdrawal_received")
    assert acknowledged.recipient == ANNA
    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert not mailbox.all(kind="shop_notice")
    told = " ".join(customer.get(f"/orders/{number}").html.main.text.split())
    assert "You withdrew from this on November 22, 2026." in told
    assert "€12.00 refunded on November 22, 2026." in told


def test_the_customer_chooses_what_to_withdraw_from(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    form = state(visitor, number).forms[0]
    form["line-0"].checked = False

    page = form.submit(status=303).follow()

    assert "Lined envelopes" in page.text
    assert [refund.amount for refund in refunds_in(database)] == [980]
    assert [line.closed_at is not None for line in lines_in(database)] == [False, True]


def test_a_button_that_is_pressed_twice_is_one_withdrawal(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)
    form = state(visitor, number).forms[0]

    first, second = form.submit(status=303), form.submit(status=303)

    assert first.location == second.location
    assert len(withdrawals_in(database)) == len(refunds_in(database)) == 1
    assert len(mailbox.all(kind="withdrawal_received")) == 1


def test_a_second_withdrawal_from_the_same_refunds_nothing_and_is_told_to_staff(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)
    withdraw(visitor, number)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["accepted", "received"]
    assert len(refunds_in(database)) == 1
    assert len(mailbox.all(kind="shop_notice")) == 1


def download_began(database: Database, clock: Clock) -> None:
    """The customer consented at the checkout, and has downloaded everything since."""
    with database.transaction(write=True) as session:
        session.execute(update(Order).values(consent_at=clock.now))
        session.execute(update(OrderLine).values(first_download_at=clock.now))


def receipt_is(database: Database, state: str) -> None:
    with database.transaction(write=True) as session:
        of_receipts = OutboxEmail.kind == "purchase_receipt"
        sent_at = OutboxEmail.created_at if state == "sent" else None
        values = {"state": state, "sent_at": sent_at}
        session.execute(update(OutboxEmail).where(of_receipts).values(values))


@pytest.mark.parametrize(
    ("email", "reason"), [("sent", "a download had begun"), ("queued", "a download had begun")]
)
def test_what_was_downloaded_is_for_staff_to_decide(
    customer: TestApp,
    visitor: TestApp,
    database: Database,
    mailbox: Mailbox,
    clock: Clock,
    email: str,
    reason: str,
) -> None:
    number = bought(customer, database)
    download_began(database, clock)
    receipt_is(database, email)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["received"]
    assert not refunds_in(database)
    [notice] = mailbox.all(kind="shop_notice")
    assert reason in notice.text_body
    assert "pillarbox withdrawals" in notice.text_body


def test_an_order_that_the_bank_wants_money_back_for_is_for_staff_to_decide(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    number = bought(customer, database)
    with database.transaction(write=True) as session:
        order_id = orders_in(database)[0].id
        record(session, OPENED, by="webhook", now=clock.now, order_id=order_id)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["received"]
    assert not refunds_in(database)
    assert "see the dispute" in mailbox.all(kind="shop_notice")[0].text_body


def test_the_right_ends_with_the_fourteenth_day(
    customer: TestApp, visitor: TestApp, database: Database, clock: Clock
) -> None:
    first = bought(customer, database)
    second = bought(customer, database)
    clock.now = clock.now.replace(month=12, day=6, hour=23, minute=59, second=59)
    withdraw(visitor, first)
    clock.advance(timedelta(seconds=1))
    withdraw(visitor, second)

    assert [each.state for each in withdrawals_in(database)] == ["accepted", "received"]


def test_a_downloaded_line_does_not_keep_the_other_one(
    customer: TestApp, visitor: TestApp, database: Database, clock: Clock
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    download_began(database, clock)
    with database.transaction(write=True) as session:
        of_second = OrderLine.position == 1
        session.execute(update(OrderLine).where(of_second).values(first_download_at=None))

    withdraw(visitor, number)

    assert [refund.amount for refund in refunds_in(database)] == [980]
    assert [each.state for each in withdrawals_in(database)] == ["received"]


def test_the_owner_may_state_another_address(
    customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)

    withdraw(customer, number, email="other@example.org")

    assert withdrawals_in(database)[0].state == "accepted"
    assert mailbox.all(kind="withdrawal_received")[0].recipient == ANNA


def test_who_goes_back_and_chooses_more_makes_another_statement(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    form = state(visitor, number).forms[0]
    form["line-0"].checked = False
    form.submit(status=303)
    form["line-0"].checked = True

    form.submit(status=303)

    assert [each.positions for each in withdrawals_in(database)] == [[1], [0, 1]]
    assert sorted(refund.amount for refund in refunds_in(database)) == [980, 1200]
    assert len(mailbox.all(kind="withdrawal_received")) == 2


def test_a_whole_order_goes_back_in_one_refund(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")

    withdraw(visitor, number)

    assert [(refund.amount, refund.position) for refund in refunds_in(database)] == [(2180, None)]
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_staff_read_that_the_right_lasts_while_no_relay_has_accepted_the_consent(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    first, second = bought(customer, database), bought(customer, database)
    download_began(database, clock)
    receipt_is(database, "queued")
    withdraw(visitor, first)
    receipt_is(database, "sent")
    withdraw(visitor, second)

    first_notice, second_notice = mailbox.all(kind="shop_notice")
    assert "so the right of withdrawal has not ended" in " ".join(first_notice.text_body.split())
    assert "which had ended the right" in " ".join(second_notice.text_body.split())


def acknowledged(mailbox: Mailbox) -> str:
    """The text of the newest acknowledgement."""
    return " ".join(mailbox.all(kind="withdrawal_received")[-1].text_body.split())


def test_the_acknowledgement_says_that_the_money_goes_back(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    withdraw(visitor, bought(customer, database))

    assert "We pay your money back within 14 days" in acknowledged(mailbox)
    assert "check" not in acknowledged(mailbox)
    assert "does not decide" not in acknowledged(mailbox)


def test_the_acknowledgement_says_what_goes_back_and_what_is_checked(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    download_began(database, clock)
    with database.transaction(write=True) as session:
        of_second = OrderLine.position == 1
        session.execute(update(OrderLine).where(of_second).values(first_download_at=None))

    withdraw(visitor, number)

    assert "We pay your money back for the items that you have not" in acknowledged(mailbox)
    assert "We check now whether you can withdraw from the other items" in acknowledged(mailbox)


def test_the_acknowledgement_says_that_staff_check_what_was_downloaded(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    number = bought(customer, database)
    download_began(database, clock)

    withdraw(visitor, number)

    assert "We check now whether you can withdraw, and write to you." in acknowledged(mailbox)
    assert "does not decide about it yet" in acknowledged(mailbox)


def test_the_acknowledgement_says_that_nothing_is_left_to_pay_back(
    app: Router, customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)
    refund(app.registry, 1200)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["accepted"]
    assert "There is nothing to pay back." in acknowledged(mailbox)
    assert "check" not in acknowledged(mailbox)
