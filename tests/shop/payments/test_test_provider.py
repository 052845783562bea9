"""The test provider and its page: each button does what can happen at a real provider."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Document, Payment
from app.shop.payments.provider import PaymentOutcome
from app.shop.payments.reconcile import reconcile
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.shopping import decide, order, orders_in, put_into_basket, sign_in, stock

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """The application, with the test provider."""
    return make_app(settings_values)


@pytest.fixture
def payment_page(browser: TestApp, database: Database) -> TestResponse:
    """The page where a signed-in customer pays an order."""
    stock(database)
    sign_in(browser, database)
    put_into_basket(browser, "envelopes")
    return order(browser).follow()


def states(database: Database) -> list[str]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Payment.state).order_by(Payment.attempt)))


def receipts(database: Database) -> int:
    with database.transaction(write=False) as session:
        return len(session.scalars(select(Document)).all())


def order_path(database: Database) -> str:
    return f"/orders/{orders_in(database)[0].number}"


def test_a_payment_that_takes_its_time_succeeds_after_a_minute(
    browser: TestApp, database: Database, mailbox: Mailbox, payment_page: TestResponse, clock: Clock
) -> None:
    decide(payment_page, "pay_later").follow()

    assert states(database) == ["processing"]
    assert len(mailbox.all(kind="payment_pending")) == 1
    assert not receipts(database)
    clock.advance(MINUTE)
    browser.get(order_path(database))
    assert states(database) == ["paid"]
    assert receipts(database) == 1
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_a_payment_that_takes_its_time_and_fails_is_told_by_email(
    browser: TestApp, database: Database, mailbox: Mailbox, payment_page: TestResponse, clock: Clock
) -> None:
    decide(payment_page, "fail_later").follow()
    assert states(database) == ["processing"]
    assert not mailbox.all(kind="payment_failed")

    clock.advance(MINUTE)
    browser.get(order_path(database))

    assert states(database) == ["failed"]
    assert len(mailbox.all(kind="payment_failed")) == 1
    assert not receipts(database)


def test_who_closes_the_tab_after_paying_gets_the_receipt_from_the_reconciler(
    app: Router, database: Database, mailbox: Mailbox, payment_page: TestResponse, clock: Clock
) -> None:
    closed = decide(payment_page, "close").follow()

    assert "you would not come back to the shop" in closed.html.main.text
    assert not closed.html.main.find("form")
    assert order_path(database) not in closed.html.main.decode()
    assert states(database) == ["pending"]
    clock.advance(2 * MINUTE)
    reconcile(app.registry)
    assert states(database) == ["paid"]
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_a_double_click_on_closing_the_tab_does_not_lead_back_to_the_shop(
    database: Database, payment_page: TestResponse
) -> None:
    first, second = decide(payment_page, "close"), decide(payment_page, "close")

    assert first.location == second.location
    assert "The tab is closed" in second.follow().text
    assert states(database) == ["pending"]


def test_a_declined_card_leaves_the_page_open_for_another(
    database: Database, mailbox: Mailbox, payment_page: TestResponse
) -> None:
    declined = decide(payment_page, "decline")

    assert declined.status_int == 422
    assert "The card was declined. Try again or choose another." in declined.html.main.text
    assert states(database) == ["pending"]
    order_page = decide(declined, "pay").follow()
    assert "Your order is paid" in order_page.text
    assert states(database) == ["paid"]
    assert not mailbox.all(kind="payment_failed")


def test_a_card_that_is_declined_after_the_payment_changes_nothing(
    database: Database, payment_page: TestResponse
) -> None:
    decide(payment_page, "pay")

    order_page = decide(payment_page, "decline").follow()

    assert "Your order is paid" in order_page.text
    assert states(database) == ["paid"]


def test_the_page_leads_back_to_the_order_without_paying(
    database: Database, payment_page: TestResponse
) -> None:
    order_page = payment_page.click("Back to the shop without paying")

    assert order_page.request.path == order_path(database)
    assert states(database) == ["pending"]


@on_sqlite
def test_a_page_that_nobody_paid_on_closes_after_an_hour(
    app: Router,
    browser: TestApp,
    database: Database,
    mailbox: Mailbox,
    payment_page: TestResponse,
    clock: Clock,
) -> None:
    emails = len(mailbox.all())
    page_path = payment_page.request.path
    clock.advance(HOUR - MINUTE)
    assert browser.get(page_path).status_int == 200

    clock.advance(MINUTE)
    assert order_path(database) in decide(payment_page, "pay").location
    reconcile(app.registry)

    assert states(database) == ["expired"]
    assert len(mailbox.all()) == emails
    next_page = browser.get(order_path(database)).forms[0].submit().follow()
    assert next_page.request.path != payment_page.request.path
    assert "Your order is paid" in decide(next_page, "pay").follow().text
    assert states(database) == ["expired", "paid"]


@on_sqlite
def test_a_payment_that_takes_its_time_outlives_its_page(
    app: Router, database: Database, payment_page: TestResponse, clock: Clock
) -> None:
    provider = app.registry.payment_provider
    session = payment_page.request.path.rpartition("/")[2]
    provider.decide(
        session,
        PaymentOutcome.PROCESSING,
        settles_as=PaymentOutcome.PAID,
        settles_at=clock.now + 2 * HOUR,
    )

    clock.advance(HOUR)
    assert provider.fetch(session).outcome is PaymentOutcome.PROCESSING
    clock.advance(HOUR)
    assert provider.fetch(session).outcome is PaymentOutcome.PAID
