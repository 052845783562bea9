"""A process that dies on the way leaves a refund that is finished later, once."""

from collections.abc import Callable
from typing import Any

import pytest

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.payments.provider import ProviderError, RefundAsked, RefundResult
from tests.support.at_once import at_once
from tests.support.paid_orders import (
    RefundingProvider,
    payment_in,
    refund_documents_in,
    refund_events,
    refunds_in,
)
from tests.support.refunding import Killed, Refunding


def test_a_refund_without_an_answer_stays_requested_and_is_asked_for_again(
    database: Database,
    provider: RefundingProvider,
    refund: Refunding,
    ask: Callable[[str], None],
    mailbox: Mailbox,
) -> None:
    def hang(asked: RefundAsked) -> RefundResult:
        raise ProviderError("timed out")

    answer, provider.answer = provider.answer, hang
    refund_id = refund(500)
    assert [row.state for row in refunds_in(database)] == ["requested"]
    assert payment_in(database).refunded == 500

    provider.answer = answer
    for _ in range(2):
        ask(refund_id)

    assert [asked.refund_id for asked in provider.asked] == [refund_id] * 2
    assert [row.state for row in refunds_in(database)] == ["succeeded"]
    assert len(mailbox.all(kind="refund_receipt")) == 1


@pytest.mark.parametrize(
    "step",
    [
        "app.shop.payments.refunds.settle_refund",
        "app.shop.payments.settle_refund.record",
        "app.shop.payments.settle_refund.issue",
        "app.shop.payments.settle_refund.send_refund_receipt",
    ],
)
def test_who_dies_after_the_provider_has_answered_leaves_a_refund_that_is_finished_once(
    database: Database,
    provider: RefundingProvider,
    request_of: Refunding,
    ask: Callable[[str], None],
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
) -> None:
    refund_id = request_of(500)

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(step, die)
        with pytest.raises(Killed):
            ask(refund_id)
    assert [row.state for row in refunds_in(database)] == ["requested"]
    assert not refund_documents_in(database)
    assert not mailbox.all(kind="refund_receipt")

    ask(refund_id)

    assert {asked.refund_id for asked in provider.asked} == {refund_id}
    assert [row.state for row in refunds_in(database)] == ["succeeded"]
    assert [document.number for document in refund_documents_in(database)] == [2]
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_several_who_ask_at_once_settle_it_once(
    database: Database, request_of: Refunding, ask: Callable[[str], None], mailbox: Mailbox
) -> None:
    refund_id = request_of(500)

    at_once(ask, [refund_id] * 4)

    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert len(refund_documents_in(database)) == 1
    assert refund_events(database) == ["test: requested", "test: succeeded"]
