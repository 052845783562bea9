"""The test provider: takes no money, and otherwise behaves like a real provider.

It has its own page, where the customer pays or declines, and its own table. The shop learns the
result from ``fetch`` only, as it would from a real provider.
"""

from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import String, update
from sqlalchemy.orm import Mapped, mapped_column

from app.database import short_transaction
from app.database.base import Base, insert_for
from app.shop.models import Amount
from app.shop.payments.provider import (
    Charge,
    PaymentOutcome,
    PaymentResult,
    ProviderError,
    StartedPayment,
)


class RememberedPayment(Base):
    """A payment in the test provider's own records."""

    __tablename__ = "test_payment"

    reference: Mapped[str] = mapped_column(String(64), primary_key=True)
    order_number: Mapped[str] = mapped_column(String(14))
    amount: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    outcome: Mapped[str] = mapped_column(String(16), default=PaymentOutcome.PENDING)


class TestProvider:
    """A ``PaymentProvider`` for development."""

    __test__ = False  # Otherwise pytest collects it, because its name starts with "Test".
    name = "test"
    is_test = True

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def start(self, request: Request, charge: Charge) -> StartedPayment:
        """Record the payment. Its page is ``/payments/test/{payment}``."""
        with short_transaction(self._registry, write=True) as session:
            session.execute(
                insert_for(session, RememberedPayment)
                .values(
                    reference=charge.payment_id,
                    order_number=charge.order_number,
                    amount=charge.amount,
                    currency=charge.currency,
                    outcome=PaymentOutcome.PENDING,
                )
                .on_conflict_do_nothing(index_elements=["reference"])
            )
        url = request.route_url("test_payment", payment=charge.payment_id)
        return StartedPayment(reference=charge.payment_id, url=url)

    def fetch(self, reference: str) -> PaymentResult:
        """The customer's decision on the page."""
        with short_transaction(self._registry, write=False) as session:
            payment = session.get(RememberedPayment, reference)
        if payment is None:
            raise ProviderError("the test provider has no payment with this reference")
        paid = payment.outcome == PaymentOutcome.PAID
        return PaymentResult(
            outcome=PaymentOutcome(payment.outcome),
            order_number=payment.order_number,
            amount=payment.amount,
            currency=payment.currency,
            card_brand="Test card" if paid else None,
            card_last4="4242" if paid else None,
        )

    def decide(self, reference: str, outcome: PaymentOutcome) -> None:
        """Pay or decline. A second decision changes nothing."""
        with short_transaction(self._registry, write=True) as session:
            session.execute(
                update(RememberedPayment)
                .where(
                    RememberedPayment.reference == reference,
                    RememberedPayment.outcome == PaymentOutcome.PENDING,
                )
                .values(outcome=outcome)
            )
