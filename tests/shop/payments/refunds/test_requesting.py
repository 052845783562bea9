"""Requesting a refund: never more than was paid, nor more of a line than it cost."""

from threading import Barrier
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select

from app.database.engine import Database
from app.mail.outbox.tables import EmailAttachment
from app.mail.testing import Mailbox
from app.shop.models import Order, RefundOrigin
from app.shop.payments.refundable import CannotRefund, MoreThanLeft, payment_of, reserve
from app.shop.payments.refunds import request_refund
from app.web.background import background_request
from tests.support.accounts import ANNA
from tests.support.at_once import at_once
from tests.support.paid_orders import (
    RefundingProvider,
    payment_in,
    refund_documents_in,
    refund_events,
    refunds_in,
    rows,
)
from tests.support.pdf_text import pages_of
from tests.support.refunding import ALL, LINE_1, LINE_2, Refunding


def test_a_whole_refund_gives_everything_back_with_document_and_email(
    database: Database,
    mailbox: Mailbox,
    provider: RefundingProvider,
    refund: Refunding,
    number: str,
) -> None:
    refund_id = refund(ALL, reason="The file was damaged.")

    [row] = refunds_in(database)
    assert (row.state, row.amount, row.currency) == ("succeeded", ALL, "EUR")
    assert row.reference == f"test_refund_{refund_id}"
    assert row.settled_at is not None
    assert payment_in(database).refunded == ALL
    assert [asked.refund_id for asked in provider.asked] == [refund_id]
    [document] = refund_documents_in(database)
    assert (document.refund_id, document.full_number) == (refund_id, "T-2026-000002")
    email = mailbox.latest(to=ANNA, kind="refund_receipt")
    [attached] = [row for row in rows(database, EmailAttachment) if row.email_id == email.id]
    words = "".join(pages_of(attached.content))
    for fact in ("T-2026-000002", "T-2026-000001", "€28.00", "€1.92", "€1.05"):
        assert fact in words, fact
    for fact in ("T-2026-000002", number, "€28.00", "The file was damaged.", "Test payment"):
        assert fact in email.text_body, fact
    assert refund_events(database) == ["test: requested", "test: succeeded"]


def test_a_refund_of_a_line_leaves_the_others(
    database: Database, refund: Refunding, mailbox: Mailbox
) -> None:
    refund(LINE_1, position=0)
    refund(600, position=1)

    with pytest.raises(MoreThanLeft) as refused:
        refund(1, position=0)
    assert refused.value.left == 0
    with pytest.raises(MoreThanLeft) as refused:
        refund(1001, position=1)
    assert refused.value.left == 1000
    assert "Only €10.00 can still be refunded." in str(refused.value)
    refund(1000, position=1)
    assert payment_in(database).refunded == ALL
    assert len(mailbox.all(kind="refund_receipt")) == 3


def test_a_refund_of_no_particular_line_leaves_less_for_every_line(refund: Refunding) -> None:
    refund(2000)

    with pytest.raises(MoreThanLeft) as refused:
        refund(LINE_2, position=1)
    # Of the 20.00, 11.43 are at the rate of line 2.
    assert refused.value.left == 457


@pytest.mark.parametrize("amount", [ALL + 1, 10**9])
def test_more_than_was_paid_is_refused_and_nothing_is_written(
    database: Database, refund: Refunding, provider: RefundingProvider, amount: int
) -> None:
    with pytest.raises(MoreThanLeft) as refused:
        refund(amount)

    assert refused.value.left == ALL
    assert not refunds_in(database)
    assert payment_in(database).refunded == 0
    assert not provider.asked


@pytest.mark.parametrize("amount", [0, -1])
def test_nothing_and_less_is_refused(database: Database, refund: Refunding, amount: int) -> None:
    with pytest.raises(CannotRefund, match="more than 0"):
        refund(amount)
    assert payment_in(database).refunded == 0


def test_a_refusal_that_the_caller_survives_has_reserved_nothing(
    app: Router, database: Database, number: str
) -> None:
    request = background_request(app.registry, "test")
    values: dict[str, Any] = {"origin": RefundOrigin.WITHDRAWAL, "by": "test"}
    with database.transaction(write=True) as session:
        order = session.scalars(select(Order).where(Order.number == number)).one()
        payment = payment_of(order)
        assert payment is not None
        with pytest.raises(MoreThanLeft):
            request_refund(
                request, session, order, payment, amount=LINE_1 + 1, position=0, **values
            )
        request_refund(request, session, order, payment, amount=LINE_1, position=0, **values)

    assert payment_in(database).refunded == LINE_1


def test_an_order_has_no_other_lines_than_its_own(refund: Refunding) -> None:
    with pytest.raises(CannotRefund, match="has no line 3"):
        refund(1, position=2)


def test_two_refunds_at_once_never_give_back_more_than_was_paid(
    database: Database, refund: Refunding
) -> None:
    def refund_most(amount: int) -> bool:
        try:
            refund(amount)
        except MoreThanLeft:
            return False
        return True

    assert at_once(refund_most, [1500, 1500, 1500, 1500]).count(True) == 1
    assert payment_in(database).refunded == 1500


def test_two_refunds_of_one_line_at_once_never_give_back_more_than_it_cost(
    database: Database, refund: Refunding, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = 3
    if not database.is_sqlite:
        # Here several transactions write at the same time. All of them have read before one writes.
        together = Barrier(requests)

        def reserve_together(*arguments: Any) -> bool:
            together.wait(20)
            return reserve(*arguments)

        monkeypatch.setattr("app.shop.payments.refunds.reserve", reserve_together)

    def refund_line(amount: int) -> bool:
        try:
            refund(amount, position=0)
        except MoreThanLeft:
            return False
        return True

    assert at_once(refund_line, [800] * requests).count(True) == 1
    assert [row.amount for row in refunds_in(database)] == [800]
