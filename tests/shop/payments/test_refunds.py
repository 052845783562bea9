"""Refunds: never more than was paid, each given back once, with one document and one email."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from threading import Barrier, Event
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail.outbox.tables import EmailAttachment
from app.mail.testing import Mailbox
from app.shop.models import Order, Payment, Refund, RefundOrigin, RefundState, ShopEvent
from app.shop.payments.asking import settle_result
from app.shop.payments.provider import (
    PaymentOutcome,
    ProviderError,
    ProviderRefuses,
    RefundAsked,
    RefundResult,
)
from app.shop.payments.provider_refunds import take_provider_refund
from app.shop.payments.refundable import CannotRefund, MoreThanLeft, payment_of, reserve
from app.shop.payments.refunds import (
    ask_for_refund,
    refund_held,
    refunds_of,
    request_refund,
)
from app.shop.withdrawal import Statement, receive
from app.web.background import background_request
from tests.support.accounts import ANNA
from tests.support.application import MakeApp
from tests.support.at_once import at_once
from tests.support.databases import on_postgresql
from tests.support.orders import place
from tests.support.paid_orders import (
    TWO_LINES,
    RefundingProvider,
    buyer,
    paid_order,
    pay,
    payment_in,
    refund_documents_in,
    refund_events,
    refunds_in,
    rows,
)
from tests.support.pdf_text import pages_of

LINE_1, LINE_2, ALL = 1200, 1600, 2800


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """The application, with the test provider."""
    return make_app(settings_values)


@pytest.fixture
def provider(app: Router) -> RefundingProvider:
    """The shop's provider."""
    app.registry.payment_provider = RefundingProvider(app.registry)
    return app.registry.payment_provider


@pytest.fixture
def number(app: Router, provider: RefundingProvider) -> str:
    """A paid order of two lines."""
    return paid_order(app.registry)


Refunding = Callable[..., str]


@pytest.fixture
def request_of(app: Router, number: str) -> Refunding:
    """Requests a refund, and returns its id once it is committed."""

    def request_one(amount: int, **more: Any) -> str:
        request = background_request(app.registry, "test")
        with app.registry.database.transaction(write=True) as session:
            order = session.scalars(select(Order).where(Order.number == number)).one()
            payment = payment_of(order)
            assert payment is not None
            values = {"origin": RefundOrigin.SHOP, "by": "test"} | more
            refund = request_refund(request, session, order, payment, amount=amount, **values)
            return refund.id

    return request_one


@pytest.fixture
def ask(app: Router) -> Callable[[str], None]:
    """Asks the provider."""
    return lambda refund_id: ask_for_refund(background_request(app.registry, "test"), refund_id)


@pytest.fixture
def refund(request_of: Refunding, ask: Callable[[str], None]) -> Refunding:
    """Requests a refund and asks the provider."""

    def refund_one(amount: int, **more: Any) -> str:
        refund_id = request_of(amount, **more)
        ask(refund_id)
        return refund_id

    return refund_one


@pytest.fixture
def take(app: Router) -> Callable[..., None]:
    """Takes what the provider tells by itself."""

    def take_result(result: RefundResult, **more: Any) -> None:
        take_provider_refund(background_request(app.registry, "test"), result, by="webhook", **more)

    return take_result


def told_of(refund: Refund, intent: str, state: RefundState, **told: Any) -> RefundResult:
    """What the provider tells by itself about a refund of ours."""
    reference = f"test_refund_{refund.id}"
    result = RefundResult(reference, state, intent, refund.amount, refund.currency, refund.id)
    return replace(result, **told)


def intent_of(database: Database) -> str:
    intent = payment_in(database).intent
    assert intent is not None
    return intent


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


# --- A process that dies on the way -------------------------------------------


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


class Killed(BaseException):
    """What a test raises where a process dies."""


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


# --- Refunds that the provider tells of ---------------------------------------


def by_hand(database: Database, amount: int = 500, **told: Any) -> RefundResult:
    """A refund that somebody made on the provider's own pages."""
    result = RefundResult("re_1", RefundState.SUCCEEDED, intent_of(database), amount, "EUR")
    return replace(result, **told)


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


# --- Payments that are not as they should be ----------------------------------


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


@pytest.mark.parametrize(
    ("provider_now", "told"),
    [
        (None, "the shop has no payment provider"),
        ("stripe", r"made with test \(test\), and the shop's provider is stripe \(test\) now"),
    ],
)
def test_only_the_provider_that_took_the_money_gives_it_back(
    app: Router,
    database: Database,
    refund: Refunding,
    provider: RefundingProvider,
    provider_now: str | None,
    told: str,
) -> None:
    if provider_now is None:
        app.registry.payment_provider = None
    else:
        provider.name = provider_now
    with pytest.raises(CannotRefund, match=told):
        refund(500)
    assert payment_in(database).refunded == 0


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
                refund_id = refund_held(request, session, held, result, by="test").id
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

    # The refund is of no particular line, so for the last line its price less 5.00 is left.
    assert sorted(row.amount for row in refunds_in(database)) == [500, LINE_2 - 500, LINE_1]
