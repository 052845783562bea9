"""A paid order, made row by row, and a way to queue its emails."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pyramid.request import Request
from pyramid.router import Router
from sqlalchemy.orm import Session

from app.shop.models import (
    Document,
    DocumentKind,
    Order,
    OrderLine,
    OrderTax,
    Payment,
    Refund,
    RefundOrigin,
    RefundState,
)
from app.web.background import background_request

NUMBER = "DB5S-XSA9-89Q8"
ORDERED = datetime(2026, 11, 22, 17, 49, tzinfo=UTC)
TERMS = "1. Allgemeines\nDiese Bedingungen gelten für alle Verträge.\n"
PDF = b"%PDF-1.7 a receipt"

InTransaction = Callable[[], Any]


def an_order(session: Session, **values: Any) -> Order:
    """A paid order of two downloads, with its payment and receipt; ``values`` are the order's."""
    order = Order(
        **{
            "number": NUMBER,
            "basket_id": "basket",
            "state": "paid",
            "created_at": ORDERED,
            "paid_at": ORDERED,
            "seller_name": "Briefe GmbH",
            "seller_address": "Lange Straße 1\n12345 Musterstadt",
            "seller_country": "DE",
            "seller_vat_id": "DE123456789",
            "seller_register": "Amtsgericht Musterstadt, HRB 1",
            "seller_support_email": "hilfe@example.org",
            "seller_phone": "+49 30 1234567",
            "seller_statement_name": "BRIEFE",
            "terms": TERMS,
            "buyer_name": "Anna Ödegård",
            "buyer_address": "Storgatan 1\n111 22 Stockholm",
            "buyer_country": "SE",
            "buyer_email": "anna@example.org",
            "locale": "de",
            "body_format": "both",
            "currency": "EUR",
            "net": 2017,
            "vat": 383,
            "total": 2400,
            "consent_at": ORDERED,
            "opened_at": ORDERED,
            # Midnight after the fourteenth day, in UTC.
            "withdrawal_ends_at": datetime(2026, 12, 7, tzinfo=UTC),
        }
        | values
    )
    session.add(order)
    session.flush()
    for position, name in enumerate(("Die Kunst des Briefs", "Zwölf Postkarten"), 1):
        session.add(
            OrderLine(
                order_id=order.id,
                position=position,
                slug=f"product-{position}",
                name=name,
                format="PDF, 160 Seiten",
                quantity=1,
                unit_price=1200,
                vat_rate=1900,
                total=1200,
            )
        )
    session.add(OrderTax(order_id=order.id, rate=1900, net=2017, vat=383, gross=2400))
    payment = Payment(
        id="1" * 32,
        order_id=order.id,
        attempt=1,
        provider="stripe",
        livemode=True,
        amount=2400,
        currency="EUR",
        state="paid",
        card_brand="Visa",
        card_last4="4242",
        created_at=ORDERED,
        expires_at=ORDERED + timedelta(hours=1),
    )
    session.add(payment)
    session.flush()
    session.add(
        Document(
            kind=DocumentKind.RECEIPT,
            series="",
            year=2026,
            number=42,
            order_id=order.id,
            payment_id=payment.id,
            issued_at=ORDERED,
            pdf=PDF,
        )
    )
    session.flush()
    session.expire(order)
    return order


def a_refund(session: Session, order: Order, **values: Any) -> tuple[Refund, Document]:
    """A refund of the first line that has succeeded, and its document; ``values`` are its own."""
    [payment] = order.payments
    refund = Refund(
        **{
            "id": "2" * 32,
            "order_id": order.id,
            "payment_id": payment.id,
            "position": 1,
            "amount": 1200,
            "currency": "EUR",
            "reason": "Die Datei war beschädigt.",
            "origin": RefundOrigin.SHOP,
            "state": RefundState.SUCCEEDED,
            "requested_by": "test",
            "created_at": ORDERED,
        }
        | values
    )
    session.add(refund)
    session.flush()
    document = Document(
        kind=DocumentKind.REFUND,
        series="",
        year=2026,
        number=43,
        order_id=order.id,
        payment_id=payment.id,
        refund_id=refund.id,
        issued_at=ORDERED + timedelta(days=2),
        pdf=PDF,
    )
    session.add(document)
    session.flush()
    return refund, document


@pytest.fixture
def nobody(app: Router) -> Request:
    """A request that nobody sent, as the reconciler has."""
    return background_request(app.registry, "test")


@pytest.fixture
def writing(app: Router) -> Callable[[], Any]:
    """``with writing() as session:`` is a transaction that writes."""

    @contextmanager
    def transaction() -> Iterator[Session]:
        with app.registry.database.transaction(write=True) as session:
            yield session

    return transaction
