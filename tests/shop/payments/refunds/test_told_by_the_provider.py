"""Refunds that the provider tells of: ours, and those that were made on its own pages."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import RefundState, ShopEvent
from app.shop.payments.provider import ProviderRefuses, RefundAsked, RefundResult
from tests.support.at_once import at_once
from tests.support.paid_orders import (
    RefundingProvider,
    payment_in,
    refund_documents_in,
    refund_events,
    refunds_in,
    rows,
)
from tests.support.refunding import ALL, Killed, Refunding, by_hand, intent_of, told_of


def test_a_refund_made_at_the_provider_gets_row_document_and_email_once(
    database: Database, number: str, take: Callable[..., None], mailbox: Mailbox
) -> None:
    at_once(lambda _: take(by_hand(database)), range(4))

    [row] = refunds_in(database)
    assert (row.origin, row.state, row.reference) == ("dashboard", "succeeded", "re_1")
    assert payment_in(database).refunded == 500
    assert len(refund_documents_in(database)) == 1
    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert refund_events(database) == ["webhook: requested", "webhook: succeeded"]


@pytest.mark.usefixtures("number")
def test_several_made_at_the_provider_are_taken_at_once(
    database: Database, take: Callable[..., None], mailbox: Mailbox
) -> None:
    at_once(lambda name: take(by_hand(database, reference=name)), ["re_1", "re_2", "re_3", "re_4"])

    assert [row.state for row in refunds_in(database)] == ["succeeded"] * 4
    assert payment_in(database).refunded == 2000
    assert len(mailbox.all(kind="refund_receipt")) == 4


@pytest.mark.usefixtures("number")
def test_an_event_is_acted_on_once_and_again_after_a_failure(
    database: Database, take: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    event = ("evt_1", "refund.created")

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("app.shop.payments.settle_refund.send_refund_receipt", die)
        with pytest.raises(Killed):
            take(by_hand(database), event=event)
    assert not refunds_in(database)
    assert payment_in(database).refunded == 0
    take(by_hand(database), event=event)
    take(by_hand(database, reference="re_2"), event=event)

    assert [row.reference for row in refunds_in(database)] == ["re_1"]
    assert [row.provider_event for row in rows(database, ShopEvent)].count("evt_1") == 1


@pytest.mark.usefixtures("number")
def test_what_is_foreign_or_has_failed_already_is_not_taken(
    database: Database, take: Callable[..., None], mailbox: Mailbox
) -> None:
    take(by_hand(database, intent="pi_of_somebody_else"))
    take(by_hand(database, intent=""))
    take(by_hand(database, state=RefundState.FAILED))

    assert not refunds_in(database)
    assert payment_in(database).refunded == 0
    assert not mailbox.all(kind="shop_notice")


def test_news_of_our_refund_may_come_before_the_answer(
    database: Database,
    request_of: Refunding,
    ask: Callable[[str], None],
    take: Callable[..., None],
    provider: RefundingProvider,
    mailbox: Mailbox,
) -> None:
    refund_id = request_of(500)
    [row] = refunds_in(database)
    take(told_of(row, intent_of(database), RefundState.SUCCEEDED))

    ask(refund_id)

    assert not provider.asked
    assert [row.origin for row in refunds_in(database)] == ["shop"]
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_news_of_our_refund_may_come_while_the_provider_answers(
    database: Database,
    refund: Refunding,
    take: Callable[..., None],
    provider: RefundingProvider,
    mailbox: Mailbox,
) -> None:
    succeeded = provider.answer

    def answer(asked: RefundAsked) -> RefundResult:
        take(succeeded(asked))
        return replace(succeeded(asked), state=RefundState.PENDING)

    provider.answer = answer
    refund(500)

    assert [row.state for row in refunds_in(database)] == ["succeeded"]
    assert len(mailbox.all(kind="refund_receipt")) == 1


def test_a_second_refund_there_with_the_name_of_ours_is_one_made_by_hand(
    database: Database, refund: Refunding, take: Callable[..., None]
) -> None:
    refund_id = refund(500)

    take(by_hand(database, refund_id=refund_id))

    assert [row.origin for row in refunds_in(database)] == ["shop", "dashboard"]
    assert payment_in(database).refunded == 1000


def test_one_made_at_the_provider_waits_for_ours_that_it_has_made_impossible(
    database: Database,
    request_of: Refunding,
    ask: Callable[[str], None],
    take: Callable[..., None],
    provider: RefundingProvider,
    mailbox: Mailbox,
) -> None:
    refund_id = request_of(500)
    event = ("evt_1", "refund.created")
    take(by_hand(database, ALL), event=event)
    assert [row.origin for row in refunds_in(database)] == ["shop"]

    def refuse(asked: RefundAsked) -> RefundResult:
        raise ProviderRefuses("charge_already_refunded")

    provider.answer = refuse
    ask(refund_id)
    take(by_hand(database, ALL), event=event)

    rows = [(row.origin, row.state) for row in refunds_in(database)]
    assert sorted(rows) == [("dashboard", "succeeded"), ("shop", "failed")]
    assert payment_in(database).refunded == ALL
    assert len(mailbox.all(kind="refund_receipt")) == 1
