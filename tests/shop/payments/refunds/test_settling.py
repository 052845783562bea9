"""What the provider answers settles a refund once, with one document and one email."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import RefundState
from app.shop.payments.provider import ProviderRefuses, RefundAsked, RefundResult
from app.shop.payments.refundable import MoreThanLeft
from tests.support.at_once import at_once
from tests.support.paid_orders import (
    RefundingProvider,
    payment_in,
    refund_documents_in,
    refund_events,
    refunds_in,
)
from tests.support.refunding import ALL, LINE_1, Refunding, intent_of, told_of


def test_a_refund_while_one_is_pending_counts_what_that_one_holds(
    database: Database, provider: RefundingProvider, refund: Refunding, mailbox: Mailbox
) -> None:
    provider.answer = provider.says(RefundState.PENDING)
    refund(2000)

    with pytest.raises(MoreThanLeft) as refused:
        refund(801)
    assert refused.value.left == 800
    refund(800)
    assert [row.state for row in refunds_in(database)] == ["pending", "pending"]
    assert not mailbox.all(kind="refund_receipt")
    assert not refund_documents_in(database)


def test_a_pending_refund_succeeds_later_once(
    database: Database,
    provider: RefundingProvider,
    refund: Refunding,
    take: Callable[..., None],
    mailbox: Mailbox,
) -> None:
    provider.answer = provider.says(RefundState.PENDING)
    refund(500)
    [row] = refunds_in(database)
    result = told_of(row, intent_of(database), RefundState.SUCCEEDED)

    at_once(lambda _: take(result), range(3))
    take(replace(result, state=RefundState.PENDING))

    assert [row.state for row in refunds_in(database)] == ["succeeded"]
    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert len(refund_documents_in(database)) == 1
    assert refund_events(database) == ["test: requested", "test: pending", "webhook: succeeded"]


@pytest.mark.parametrize("state", [RefundState.FAILED, RefundState.CANCELED])
def test_a_pending_refund_that_fails_frees_its_amount_and_tells_staff_once(
    database: Database,
    provider: RefundingProvider,
    refund: Refunding,
    take: Callable[..., None],
    mailbox: Mailbox,
    number: str,
    state: RefundState,
) -> None:
    provider.answer = provider.says(RefundState.PENDING)
    refund(ALL)
    [row] = refunds_in(database)
    result = told_of(row, intent_of(database), state, failure="lost_or_stolen_card")

    for _ in range(2):
        take(result)
    take(replace(result, state=RefundState.SUCCEEDED))

    assert [row.state for row in refunds_in(database)] == [state]
    assert payment_in(database).refunded == 0
    [notice] = mailbox.all(kind="shop_notice")
    for fact in (number, "€28.00", "lost_or_stolen_card", "pillarbox refund"):
        assert fact in notice.text_body, fact
    assert not mailbox.all(kind="refund_receipt")
    assert not refund_documents_in(database)


def test_a_refund_that_the_bank_returns_is_free_again_and_staff_are_told(
    database: Database,
    refund: Refunding,
    take: Callable[..., None],
    mailbox: Mailbox,
) -> None:
    refund(LINE_1, position=0)
    [row] = refunds_in(database)
    returned = told_of(row, intent_of(database), RefundState.FAILED, failure="declined")

    for _ in range(2):
        take(returned)

    assert payment_in(database).refunded == 0
    assert [row.state for row in refunds_in(database)] == ["failed"]
    assert len(mailbox.all(kind="shop_notice")) == 1
    assert len(refund_documents_in(database)) == 1
    refund(LINE_1, position=0)
    assert payment_in(database).refunded == LINE_1
    assert len(refund_documents_in(database)) == 2


def test_a_refund_that_the_provider_refuses_has_failed_in_its_words(
    database: Database, provider: RefundingProvider, refund: Refunding, mailbox: Mailbox
) -> None:
    def refuse(asked: RefundAsked) -> RefundResult:
        raise ProviderRefuses("charge_disputed")

    provider.answer = refuse
    refund(500)

    [row] = refunds_in(database)
    assert (row.state, row.failure, row.reference) == ("failed", "charge_disputed", None)
    assert payment_in(database).refunded == 0
    assert "charge_disputed" in mailbox.latest(kind="shop_notice").text_body


def test_an_answer_about_another_amount_settles_nothing(
    database: Database, provider: RefundingProvider, refund: Refunding
) -> None:
    provider.answer = provider.says(RefundState.SUCCEEDED, amount=499)
    refund(500)
    assert [row.state for row in refunds_in(database)] == ["requested"]
    assert not refund_documents_in(database)
