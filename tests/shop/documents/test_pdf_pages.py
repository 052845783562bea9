"""The PDF files of an order's documents, for its customer alone."""

from hashlib import sha256

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp

from app.accounts.models import Account
from app.database.engine import Database
from app.shop.models import Document, Order, Payment, RefundOrigin
from app.shop.order_numbers import new_order_number
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.web.background import background_request
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite
from tests.support.paid_orders import rows
from tests.support.pdf_text import text_of
from tests.support.shopping import buy, order, put_into_basket, sign_in

# Nothing here depends on the database.
pytestmark = on_sqlite

ANOTHER = "another@example.org"


@pytest.fixture
def number(customer: TestApp, database: Database) -> str:
    """A paid order of the customer."""
    buy(customer, "letter-paper", "letters-to-nobody")
    with database.transaction(write=False) as session:
        return session.scalars(select(Order.number)).one()


@pytest.fixture
def refunded(app: Router, database: Database, number: str) -> Document:
    """The document of a refund of the order."""
    request = background_request(app.registry, "test")
    with database.transaction(write=True) as session:
        payment = session.scalars(select(Payment)).one()
        requested = request_refund(
            request,
            session,
            payment.order,
            payment,
            amount=500,
            origin=RefundOrigin.SHOP,
            by="test",
        )
    ask_for_refund(request, requested.id)
    return rows(database, Document)[-1]


def test_the_customer_gets_the_file_as_it_was_made(
    customer: TestApp, database: Database, number: str
) -> None:
    page = customer.get(f"/orders/{number}/receipt.pdf")

    [document] = rows(database, Document)
    assert page.content_type == "application/pdf"
    assert sha256(page.body).hexdigest() == document.sha256
    assert page.headers["Content-Disposition"] == (
        f"attachment; filename*=utf-8''receipt-{document.full_number}.pdf"
    )
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["X-Content-Type-Options"] == "nosniff"
    assert number in text_of(page.body)
    assert customer.get(f"/orders/{number}/receipt.pdf").body == page.body


def test_its_name_is_in_the_language_of_the_order(
    customer: TestApp, database: Database, number: str
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Order).values(locale="de"))

    page = customer.get(f"/orders/{number}/receipt.pdf")

    assert "filename*=utf-8''Beleg-" in page.headers["Content-Disposition"]


def test_head_tells_of_the_file_without_it(customer: TestApp, number: str) -> None:
    whole = customer.get(f"/orders/{number}/receipt.pdf")

    head = customer.head(f"/orders/{number}/receipt.pdf")

    assert head.body == b""
    assert head.headers["Content-Length"] == str(len(whole.body))
    assert head.headers["Content-Disposition"] == whole.headers["Content-Disposition"]


def test_the_document_of_a_refund_has_its_number(
    customer: TestApp, number: str, refunded: Document
) -> None:
    page = customer.get(f"/orders/{number}/refunds/{refunded.full_number}.pdf")

    assert sha256(page.body).hexdigest() == refunded.sha256
    assert f"refund-{refunded.full_number}.pdf" in page.headers["Content-Disposition"]
    # The receipt stays the receipt.
    assert customer.get(f"/orders/{number}/receipt.pdf").body != page.body


def test_another_customer_finds_nothing(
    app: Router, customer: TestApp, database: Database, number: str, refunded: Document
) -> None:
    stranger = another_browser(app)
    sign_in(stranger, database, ANOTHER)

    for name in ("receipt.pdf", f"refunds/{refunded.full_number}.pdf"):
        assert customer.get(f"/orders/{number}/{name}").status_int == 200
        page = stranger.get(f"/orders/{number}/{name}", status=404)
        assert page.content_type == "text/html"
    assert rows(database, Account)[1].address == ANOTHER


def test_a_visitor_signs_in_first(app: Router, number: str) -> None:
    page = another_browser(app).get(f"/orders/{number}/receipt.pdf")

    assert page.status_int == 303
    assert "/sign-in" in page.location


def test_an_order_that_is_not_paid_has_no_receipt(customer: TestApp, database: Database) -> None:
    put_into_basket(customer, "letter-paper")
    order(customer)
    [open_order] = rows(database, Order)

    customer.get(f"/orders/{open_order.number}/receipt.pdf", status=404)


def test_a_receipt_whose_file_is_not_made_yet_is_not_found(
    customer: TestApp, database: Database, number: str
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Document).values(pdf=None, sha256=None))

    customer.get(f"/orders/{number}/receipt.pdf", status=404)


@pytest.mark.parametrize("wrong", ["nothing", "x" * 500, "7K3M-9QXW-2TBC"])
def test_no_such_order_is_not_found(customer: TestApp, wrong: str) -> None:
    customer.get(f"/orders/{wrong}/receipt.pdf", status=404)
    customer.get(f"/orders/{new_order_number()}/receipt.pdf", status=404)


@pytest.mark.parametrize("wrong", ["2026-000001", "T-2026-999999", "x"])
def test_no_such_refund_is_not_found(customer: TestApp, number: str, wrong: str) -> None:
    customer.get(f"/orders/{number}/refunds/{wrong}.pdf", status=404)
