"""Documents are numbered without gaps, keep what they say, and get their PDF, at once or later."""

from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from app.accounts.models import Account
from app.database.engine import Database
from app.shop.chores import run_chores
from app.shop.documents import fill_in as filling
from app.shop.documents import issue as issuing
from app.shop.documents.content import DocumentContent
from app.shop.documents.fill_in import fill_in
from app.shop.documents.issue import issue
from app.shop.models import Document, DocumentKind, Order, Payment, Refund, RefundOrigin
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.web.background import background_request
from tests.support.application import MakeApp
from tests.support.at_once import at_once
from tests.support.orders import place
from tests.support.paid_orders import buyer, paid_order, pay, rows
from tests.support.pdf_text import text_of, without_spaces

JANUARY = datetime(2027, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """A shop in Berlin."""
    return make_app(settings_values | {"site.time_zone": "Europe/Berlin"})


@pytest.fixture
def customer(database: Database) -> Account:
    return buyer(database)


@pytest.fixture
def placed(app: Router, customer: Account) -> list[Payment]:
    """Three orders that nobody has paid."""
    return [
        place(app.registry, customer, {"letter-paper": 1}, basket_id=f"basket {n}")
        for n in range(3)
    ]


def issue_one(app: Router, session: Session, payment: Payment, **changes: Any) -> Document:
    values: dict[str, Any] = {
        "now": JANUARY,
        "zone": ZoneInfo("Europe/Berlin"),
        "languages": app.registry.languages,
    }
    mine = session.get_one(Payment, payment.id)
    return issue(session, DocumentKind.RECEIPT, mine.order, mine, **(values | changes))


def documents_in(database: Database) -> list[Document]:
    return rows(database, Document)


def pdf_of(database: Database, document: Document) -> bytes | None:
    with database.transaction(write=False) as session:
        return session.scalars(select(Document.pdf).where(Document.id == document.id)).one()


def refund(app: Router, amount: int, position: int | None = None, reason: str = "") -> Document:
    """Refund of the only order, and return its document."""
    database: Database = app.registry.database
    request = background_request(app.registry, "test")
    with database.transaction(write=True) as session:
        payment = session.scalars(select(Payment)).one()
        requested = request_refund(
            request,
            session,
            payment.order,
            payment,
            amount=amount,
            position=position,
            reason=reason,
            origin=RefundOrigin.SHOP,
            by="test",
        )
    ask_for_refund(request, requested.id)
    return documents_in(database)[-1]


def says(document: Document) -> DocumentContent:
    assert document.data is not None
    return DocumentContent.from_json(document.data)


# --- Numbers ------------------------------------------------------------------


def test_numbers_have_no_gaps_when_a_transaction_is_rolled_back(
    app: Router, database: Database, placed: list[Payment]
) -> None:
    with database.transaction(write=True) as session:
        issue_one(app, session, placed[0])

    def issue_and_fail() -> None:
        with database.transaction(write=True) as session:
            issue_one(app, session, placed[1])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        issue_and_fail()
    with database.transaction(write=True) as session:
        issue_one(app, session, placed[2])

    numbers = [document.full_number for document in documents_in(database)]
    assert numbers == ["T-2027-000001", "T-2027-000002"]


def test_documents_that_are_issued_at_once_get_a_number_each(
    app: Router, database: Database, placed: list[Payment]
) -> None:
    def issue_mine(payment: Payment) -> None:
        with database.transaction(write=True) as session:
            issue_one(app, session, payment)

    at_once(issue_mine, placed)

    assert sorted(document.number for document in documents_in(database)) == [1, 2, 3]


def test_the_year_is_that_of_the_shops_time_zone(
    app: Router, database: Database, placed: list[Payment]
) -> None:
    last_hour = datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC)
    with database.transaction(write=True) as session:
        issue_one(app, session, placed[0], now=last_hour)
        issue_one(app, session, placed[1], now=last_hour.replace(hour=23, minute=0, second=0))

    numbers = [document.full_number for document in documents_in(database)]
    assert numbers == ["T-2026-000001", "T-2027-000001"]


def test_documents_about_real_money_have_a_series_of_their_own(
    app: Router, database: Database, placed: list[Payment]
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Payment).where(Payment.id == placed[1].id).values(livemode=True))
    with database.transaction(write=True) as session:
        for payment in placed:
            issue_one(app, session, payment)

    documents = documents_in(database)
    numbers = [document.full_number for document in documents]
    assert numbers == ["T-2027-000001", "2027-000001", "T-2027-000002"]
    tests = [pdf_of(database, document) or b"" for document in documents]
    assert ["nothingwascharged" in text_of(file) for file in tests] == [True, False, True]


# --- What they say ------------------------------------------------------------


def test_a_paid_order_has_a_receipt_of_all_that_it_says(app: Router, database: Database) -> None:
    number = paid_order(app.registry)

    [document] = documents_in(database)
    file = pdf_of(database, document)
    assert file
    assert document.sha256 == sha256(file).hexdigest()
    content = says(document)
    assert content.order_number == number
    assert content.number == document.full_number
    assert content.buyer.name == "Anna Ödegård"
    assert [line.total for line in content.lines] == [1200, 1600]
    assert [(tax.rate, tax.gross) for tax in content.taxes] == [(700, 1600), (1900, 1200)]
    assert content.total == 2800
    assert without_spaces("Test card ending in 4242") in text_of(file)
    assert without_spaces("Anna Ödegård Storgatan 1 111 22 Stockholm Sweden") in text_of(file)


def test_a_refund_of_an_amount_is_spread_over_the_rates(app: Router, database: Database) -> None:
    paid_order(app.registry)
    receipt = documents_in(database)[0]

    document = refund(app, 1000, reason="Two pages were missing.")

    content = says(document)
    assert document.kind == DocumentKind.REFUND
    assert content.total == 1000
    # 28.00 were paid, 16.00 of them at 7% and 12.00 at 19%.
    assert [(tax.rate, tax.gross) for tax in content.taxes] == [(700, 571), (1900, 429)]
    assert content.lines == ()
    assert content.correction is not None
    assert content.correction.receipt_number == receipt.full_number
    assert content.correction.receipt_issued_at == receipt.issued_at
    assert content.correction.reason == "Two pages were missing."
    assert content.withdraw_until is None
    assert b"pdfaid" in (pdf_of(database, document) or b"")


def test_a_refund_of_a_line_names_it(app: Router, database: Database) -> None:
    paid_order(app.registry)
    line = says(documents_in(database)[0]).lines[1]

    whole = says(refund(app, 1600 - 100, position=1))
    rest = says(refund(app, 100, position=1))

    assert [(part.name, part.total) for part in whole.lines] == [(line.name, 1500)]
    assert [(part.name, part.unit_price) for part in rest.lines] == [(line.name, 100)]
    assert [tax.rate for tax in whole.taxes] == [line.vat_rate]


def test_a_refund_of_everything_names_every_line(app: Router, database: Database) -> None:
    paid_order(app.registry)
    receipt = says(documents_in(database)[0])

    content = says(refund(app, 2800))

    assert content.lines == receipt.lines
    assert content.taxes == receipt.taxes
    assert content.net == receipt.net


def test_money_that_came_twice_goes_back_without_vat(
    app: Router, database: Database, customer: Account
) -> None:
    payment = place(app.registry, customer, {"letter-paper": 1}, basket_id="basket")
    pay(app.registry, payment)
    with database.transaction(write=True) as session:
        order = session.get_one(Order, payment.order_id)
        second = Payment(
            id="second",
            order_id=order.id,
            attempt=2,
            provider="test",
            amount=1200,
            currency="EUR",
            state="paid",
            created_at=JANUARY,
        )
        session.add(second)
        session.flush()
        back = Refund(
            id="back",
            order_id=order.id,
            payment_id=second.id,
            amount=1200,
            currency="EUR",
            origin=RefundOrigin.PAID_TWICE,
            requested_by="test",
            created_at=JANUARY,
        )
        session.add(back)
        session.flush()
        document = issue(
            session,
            DocumentKind.REFUND,
            order,
            second,
            back,
            now=JANUARY,
            zone=UTC,
            languages=app.registry.languages,
        )

    content = says(document)
    assert content.correction is not None
    assert content.correction.receipt_number == ""
    assert (content.lines, content.taxes, content.total) == ((), (), 1200)


def test_a_receipt_stays_what_it_was(app: Router, database: Database) -> None:
    paid_order(app.registry)
    [before] = documents_in(database)
    file = pdf_of(database, before)
    with database.transaction(write=True) as session:
        session.execute(update(Order).values(seller_name="Somebody Else", total=1))

    run_chores(app.registry)

    [after] = documents_in(database)
    assert (after.data, after.sha256) == (before.data, before.sha256)
    assert pdf_of(database, after) == file


# --- Files that are made later ------------------------------------------------


@pytest.fixture
def unrendered(app: Router, database: Database, monkeypatch: pytest.MonkeyPatch) -> Document:
    """A receipt whose PDF could not be made."""
    with monkeypatch.context() as broken:
        broken.setattr(issuing, "render", lambda *arguments: None)
        paid_order(app.registry)
    [document] = documents_in(database)
    assert document.sha256 is None
    return document


def test_an_order_is_paid_without_a_pdf_which_comes_later(
    app: Router, database: Database, unrendered: Document
) -> None:
    assert unrendered.data is not None

    assert fill_in(app.registry) == {"documents rendered": 1}

    [document] = documents_in(database)
    file = pdf_of(database, document)
    assert file
    assert document.sha256 == sha256(file).hexdigest()
    assert document.data == unrendered.data
    assert without_spaces("Total €28.00") in text_of(file)


def test_a_file_that_is_there_is_not_made_again(
    app: Router, database: Database, unrendered: Document
) -> None:
    run_chores(app.registry)
    [first] = documents_in(database)
    file = pdf_of(database, first)

    assert fill_in(app.registry) == {"documents rendered": 0}
    assert not filling._fill_in(app.registry, first.id)
    assert pdf_of(database, first) == file


def test_a_file_that_cannot_be_made_is_tried_again(
    app: Router, unrendered: Document, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as broken:
        broken.setattr(filling, "render", lambda *arguments: None)
        assert fill_in(app.registry) == {"documents rendered": 0}

    assert fill_in(app.registry) == {"documents rendered": 1}


def test_a_receipt_of_an_older_version_gets_its_file(
    app: Router, database: Database, unrendered: Document
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Document).values(data=None))
        # What older versions did not keep.
        session.execute(update(Order).values(seller_country="", buyer_country=""))

    assert fill_in(app.registry) == {"documents rendered": 1}

    [document] = documents_in(database)
    assert says(document).number == unrendered.full_number
    assert without_spaces("Anna Ödegård Storgatan 1") in text_of(pdf_of(database, document) or b"")
