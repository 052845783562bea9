"""Orders that are paid, and a provider whose answers about refunds a test chooses."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pyramid.registry import Registry
from sqlalchemy import select

from app.accounts.models import Account
from app.database.engine import Database
from app.shop.models import Document, Order, Payment, Refund, RefundOrigin, RefundState, ShopEvent
from app.shop.payments.asking import check_payment
from app.shop.payments.provider import PaymentOutcome, RefundAsked, RefundResult
from app.shop.payments.refunds import ask_for_refund, request_refund
from app.shop.payments.test import TestProvider
from app.web.background import background_request
from tests.support.accounts import add_account
from tests.support.orders import place
from tests.support.shopping import stock

TWO_LINES = {"letter-paper": 1, "letters-to-nobody": 1}
"""12.00 at 19% and 16.00 at 7%."""


def pay(registry: Registry, payment: Payment) -> None:
    """Pay at the test provider, and settle."""
    registry.payment_provider.decide(payment.session, PaymentOutcome.PAID)
    check_payment(background_request(registry, "test"), payment, by="test")


def buyer(database: Database) -> Account:
    """An account in a shop with the sample catalogue."""
    stock(database)
    account_id = add_account(database)
    with database.transaction(write=False) as session:
        return session.get_one(Account, account_id)


def paid_order(registry: Registry, basket: Mapping[str, int] = TWO_LINES) -> str:
    """The number of a paid order of the only customer of a new shop."""
    payment = place(registry, buyer(registry.database), basket, basket_id="basket")
    pay(registry, payment)
    with registry.database.transaction(write=False) as session:
        return session.scalars(select(Order.number).where(Order.id == payment.order_id)).one()


def requested_refund(registry: Registry, amount: int, reason: str = "") -> str:
    """Request a refund of a part of the only order, and return its id once it is committed."""
    request = background_request(registry, "test")
    with registry.database.transaction(write=True) as session:
        payment = session.scalars(select(Payment)).one()
        return request_refund(
            request,
            session,
            payment.order,
            payment,
            amount=amount,
            reason=reason,
            origin=RefundOrigin.SHOP,
            by="test",
        ).id


def refund(registry: Registry, amount: int, reason: str = "") -> None:
    """Refund a part of the only order."""
    refund_id = requested_refund(registry, amount, reason)
    ask_for_refund(background_request(registry, "test"), refund_id)


class RefundingProvider(TestProvider):
    """The test provider, which says of refunds what a test wants, and remembers what it was asked.

    As long as ``answer`` says nothing else, every refund succeeds at once.
    """

    def __init__(self, registry: Registry) -> None:
        super().__init__(registry)
        self.asked: list[RefundAsked] = []
        self.answer: Callable[[RefundAsked], RefundResult] = super().refund

    def refund(self, asked: RefundAsked) -> RefundResult:
        self.asked.append(asked)
        return self.answer(asked)

    def says(self, state: RefundState, **told: Any) -> Callable[[RefundAsked], RefundResult]:
        """An answer for ``answer``."""
        return lambda asked: replace(TestProvider.refund(self, asked), state=state, **told)


def rows(database: Database, model: type[Any]) -> list[Any]:
    """All rows, the first one first."""
    order = model.created_at if model is Refund else model.id
    with database.transaction(write=False) as session:
        return list(session.scalars(select(model).order_by(order)))


def refunds_in(database: Database) -> list[Refund]:
    return rows(database, Refund)


def refund_documents_in(database: Database) -> list[Document]:
    return [document for document in rows(database, Document) if document.kind == "refund"]


def payment_in(database: Database) -> Payment:
    """The only payment."""
    with database.transaction(write=False) as session:
        return session.scalars(select(Payment)).one()


def refund_events(database: Database) -> list[str]:
    """What was recorded about refunds: who did it, and the state that came of it."""
    return [
        f"{event.by}: {event.detail.rpartition('state=')[2]}"
        for event in rows(database, ShopEvent)
        if event.kind == "refund"
    ]
