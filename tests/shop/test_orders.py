"""The page of a customer's order, and paying it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import delete, update
from webtest import TestApp

from app.accounts.models import Account
from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.mail.testing import Mailbox
from app.shop.order_numbers import new_order_number
from app.shop.payments.provider import (
    Charge,
    PaymentResult,
    ProviderError,
    StartedPayment,
)
from tests.support.accounts import ANNA
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.shopping import (
    buy,
    decide,
    fail,
    order,
    orders_in,
    payments_in,
    put_into_basket,
    receipts_in,
    sign_in,
    stock,
)


def test_an_order_shows_its_lines_in_a_proper_table(customer: TestApp) -> None:
    page = buy(customer, "envelopes", "letters-to-nobody")

    table = page.html.find("table")
    assert table.caption.text == "Items in your order"
    assert [cell["scope"] for cell in table.thead.find_all("th")] == ["col"] * 2
    assert {cell["scope"] for cell in table.tbody.find_all("th")} == {"row"}
    totals = [[cell.text for cell in row.find_all(["th", "td"])] for row in table.tfoot("tr")]
    assert totals == [
        ["Net", "€23.19"],
        ["VAT 7% on €14.95", "€1.05"],
        ["VAT 19% on €8.24", "€1.56"],
        ["Total", "€25.80"],
    ]
    assert page.html.dl.find("time")["datetime"] == "2026-11-22T12:00:00+00:00"


@on_sqlite
def test_days_and_years_are_those_of_the_shops_time_zone(
    make_app: MakeApp, settings_values: dict[str, str], clock: Clock
) -> None:
    clock.now = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)
    app = make_app(settings_values | {"site.time_zone": "Europe/Berlin"})
    browser, database = another_browser(app), app.registry.database
    stock(database)
    sign_in(browser, database)

    page = buy(browser)

    facts = " ".join(page.html.dl.get_text(" ").split())
    assert "Paid on Jan 1, 2027, 12:30 AM CET Receipt T-2027-000001" in facts
    assert page.html.dl.find("time")["datetime"] == "2026-12-31T23:30:00+00:00"
    listed = browser.get("/orders").html.tbody.find("time")
    assert (listed["datetime"], listed.text) == ("2027-01-01", "January 1, 2027")
    email = Mailbox(database).latest(kind="purchase_receipt")
    assert "January 1, 2027" in (email.text_body or "")


def test_a_test_payment_says_so_on_every_page_and_in_the_email(
    customer: TestApp, mailbox: Mailbox
) -> None:
    put_into_basket(customer, "envelopes")
    checkout = customer.get("/checkout")
    payment_page = order(customer).follow()
    order_page = payment_page.forms[0].submit().follow()

    for page in (checkout, payment_page, order_page):
        assert "Test payment: nothing is charged" in page.html.main.text
    email = mailbox.latest(kind="purchase_receipt")
    for body in (email.html_body, email.text_body):
        assert "Test payment: nothing was charged." in body


def test_an_order_number_is_understood_as_people_type_it(
    customer: TestApp, database: Database
) -> None:
    put_into_basket(customer, "envelopes")
    order(customer)
    number = orders_in(database)[0].number

    page = customer.get(f"/orders/{number.lower().replace('-', '')}")

    assert page.html.h1.text == f"Order {number}"


def test_what_is_no_order_is_not_found(customer: TestApp) -> None:
    customer.get("/orders/1", status=404)
    customer.get(f"/orders/{new_order_number()}", status=404)
    customer.get("/payments/test/1", status=404)


def test_somebody_elses_order_is_not_found(
    app: Router, customer: TestApp, database: Database
) -> None:
    put_into_basket(customer, "envelopes")
    payment_page = order(customer).location
    number = orders_in(database)[0].number
    other = another_browser(app)
    sign_in(other, database, "bert@example.org")
    put_into_basket(other, "envelopes")
    token = other.get("/checkout").forms[0]["csrf_token"].value

    other.get(f"/orders/{number}", status=404)
    other.post(f"/orders/{number}", {"csrf_token": token}, status=404)
    other.get(payment_page, status=404)
    other.post(payment_page, {"csrf_token": token, "decision": "pay"}, status=404)
    assert number not in other.get("/orders").text
    assert payments_in(database)[0].state == "pending"


def test_an_order_asks_to_sign_in(app: Router, customer: TestApp, database: Database) -> None:
    path = buy(customer).request.path
    stranger = another_browser(app)

    assert "/sign-in" in stranger.get(path, status=303).location
    assert "/sign-in" in stranger.get("/orders", status=303).location


def test_an_order_outlives_its_account(customer: TestApp, database: Database) -> None:
    buy(customer)

    with database.transaction(write=True) as session:
        session.execute(delete(Account))

    [left] = orders_in(database)
    assert left.account_id is None
    assert left.buyer_email == ANNA
    assert len(receipts_in(database)) == 1


def test_a_failed_payment_can_be_tried_again(
    customer: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    order_page = fail(order(customer).follow(), clock)
    assert "The payment failed, and you have not been charged." in order_page.text
    assert not mailbox.all(kind="purchase_receipt")

    second_try = order_page.forms[0].submit(status=303)
    assert order_page.forms[0].submit(status=303).location == second_try.location
    order_page = second_try.follow().forms[0].submit().follow()

    assert "Your order is paid" in order_page.text
    assert [payment.state for payment in payments_in(database)] == ["failed", "paid"]
    assert len(receipts_in(database)) == 1
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_an_order_that_was_left_unpaid_can_be_paid_later(
    customer: TestApp, database: Database
) -> None:
    put_into_basket(customer, "envelopes")
    payment_page = order(customer).location
    number = orders_in(database)[0].number

    order_page = customer.get(f"/orders/{number}")

    assert "This order is not paid yet." in order_page.text
    assert order_page.html.main.find("button").text == "Pay €9.80"
    assert order_page.forms[0].submit(status=303).location == payment_page


def test_the_first_decision_at_the_provider_stands(
    customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    payment_page = order(customer).follow()

    decide(payment_page, "fail_later")
    decide(payment_page, "pay")
    clock.advance(timedelta(minutes=1))
    decide(payment_page, "pay").follow()

    assert [payment.state for payment in payments_in(database)] == ["failed"]
    back = customer.get(payment_page.request.path, status=303).location
    assert f"/orders/{orders_in(database)[0].number}" in back


def test_the_test_page_wants_a_decision(customer: TestApp) -> None:
    put_into_basket(customer, "envelopes")
    form = order(customer).follow().forms[0]

    form["decision"].force_value("maybe")

    form.submit(status=400)


def test_who_comes_back_without_paying_finds_the_order_unpaid(
    customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    put_into_basket(customer, "envelopes")
    order(customer).follow()

    page = customer.get(f"/orders/{orders_in(database)[0].number}")

    assert "This order is not paid yet." in page.text
    assert not mailbox.all(kind="purchase_receipt")


class UnreachableProvider:
    """A provider that does not answer."""

    name = "test"
    is_test = True
    is_open = True
    page_origin = None

    def start(self, charge: Charge) -> StartedPayment:
        raise ProviderError("timed out")

    def fetch(self, session: str) -> PaymentResult:
        raise ProviderError("timed out")


def test_an_order_stays_when_the_provider_cannot_be_reached(
    app: Router, customer: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "envelopes")
    provider = app.registry.payment_provider
    app.registry.payment_provider = UnreachableProvider()

    page = order(customer).follow()
    assert "The payment could not be started, and you have not been charged." in page.text
    assert "This order is not paid yet." in page.text

    app.registry.payment_provider = provider
    payment_page = page.forms[0].submit().follow()
    order_path = payment_page.forms[0].submit(status=303).location
    app.registry.payment_provider = UnreachableProvider()
    waiting = customer.get(order_path)
    assert "We are waiting for the payment provider to confirm your payment." in waiting.text
    assert waiting.headers["Refresh"] == "10"
    assert not waiting.html.main.find("button")

    # Within ten seconds nobody asks about the same payment again.
    app.registry.payment_provider = provider
    assert "We are waiting for the payment provider" in customer.get(order_path).text
    clock.advance(timedelta(seconds=10))
    assert "Your order is paid" in customer.get(order_path).text
    assert len(payments_in(database)) == 1


def test_a_receipt_is_in_the_language_and_format_of_the_buyer_when_ordering(
    customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Account).values(body_format="text"))
    put_into_basket(customer, "envelopes")
    payment_page = order(customer).follow()
    with database.transaction(write=True) as session:
        session.execute(update(Account).values(body_format="both", address="new@example.org"))

    payment_page.forms[0].submit().follow()

    email: OutboxEmail = mailbox.latest(kind="purchase_receipt")
    assert email.recipient == ANNA
    assert email.html_body is None
    assert email.text_body is not None


def test_a_receipt_that_cannot_be_composed_does_not_undo_the_payment(
    app: Router,
    customer: TestApp,
    mailbox: Mailbox,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken(*arguments: Any, **named: Any) -> str:
        raise ValueError("a broken template")

    monkeypatch.setattr(app.registry.email_composer, "raises", False)
    monkeypatch.setattr(app.registry.email_composer, "_render", broken)

    page = buy(customer)

    assert "Your order is paid" in page.text
    email = mailbox.latest(kind="purchase_receipt")
    assert email.state == "failed"
    assert "could not be composed" in caplog.text


def test_the_log_of_a_purchase_names_neither_person_nor_address(
    customer: TestApp, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", logger="app")

    buy(customer)

    assert "receipt=T-2026-000001" in caplog.text
    for word in ("anna", "Anna", "Storgatan", "http"):
        assert word not in caplog.text
