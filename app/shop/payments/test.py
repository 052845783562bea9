"""The test provider: takes no money, and otherwise behaves like a real provider.

It has its own page, where the customer decides what becomes of the payment, and its own table. The
shop learns the result from ``fetch`` only, as it would from a real provider.
"""

from collections.abc import Iterator
from datetime import datetime

from pyramid.registry import Registry
from pyramid.request import Request
from sqlalchemy import String, update
from sqlalchemy.orm import Mapped, mapped_column

from app.database import short_transaction
from app.database.base import Base, insert_for
from app.shop.models import Amount, RefundState
from app.shop.payments.provider import (
    Charge,
    PaymentOutcome,
    PaymentResult,
    ProviderError,
    RefundAsked,
    RefundResult,
    StartedPayment,
)
from app.web.background import background_request

_REFUND = "test_refund_"


class RememberedPayment(Base):
    """A payment in the test provider's own records."""

    __tablename__ = "test_payment"

    reference: Mapped[str] = mapped_column(String(64), primary_key=True)
    order_number: Mapped[str] = mapped_column(String(14))
    amount: Mapped[Amount]
    currency: Mapped[str] = mapped_column(String(3))
    outcome: Mapped[str] = mapped_column(String(16), default=PaymentOutcome.PENDING)
    settles_as: Mapped[str | None] = mapped_column(String(16))
    """The outcome of a payment that takes its time, from ``settles_at`` on."""
    settles_at: Mapped[datetime | None]
    # SQLite cannot add a time that is never NULL to a table that exists. It is never NULL.
    expires_at: Mapped[datetime] = mapped_column(nullable=True)
    """When the page closes."""


class TestProvider:
    """A ``PaymentProvider`` for development."""

    __test__ = False  # Otherwise pytest collects it, because its name starts with "Test".
    name = "test"
    is_test = True
    is_open = True
    page_origin: str | None = None

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def start(self, charge: Charge) -> StartedPayment:
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
                    expires_at=charge.expires_at,
                )
                .on_conflict_do_nothing(index_elements=["reference"])
            )
        return StartedPayment(session=charge.payment_id, url=self._page(charge.payment_id))

    def fetch(self, session: str) -> PaymentResult:
        """The customer's decision on the page, or that the page closed before there was one."""
        with short_transaction(self._registry, write=False) as database_session:
            payment = database_session.get(RememberedPayment, session)
        if payment is None:
            raise ProviderError("the test provider has no payment with this reference")
        outcome = self._outcome(payment)
        is_paid = outcome is PaymentOutcome.PAID
        return PaymentResult(
            outcome=outcome,
            payment_id=session,
            amount=payment.amount,
            currency=payment.currency,
            livemode=False,
            intent=f"test_intent_{session}",
            card_brand="Test card" if is_paid else None,
            card_last4="4242" if is_paid else None,
            session=session,
            url=self._page(session) if outcome is PaymentOutcome.PENDING else None,
        )

    def decide(
        self,
        session: str,
        outcome: PaymentOutcome,
        *,
        settles_as: PaymentOutcome | None = None,
        settles_at: datetime | None = None,
    ) -> None:
        """Settle the payment now, or as ``settles_as`` at ``settles_at``. A second decision changes
        nothing, and neither does one after the page has closed.
        """
        with short_transaction(self._registry, write=True) as database_session:
            database_session.execute(
                update(RememberedPayment)
                .where(
                    RememberedPayment.reference == session,
                    RememberedPayment.outcome == PaymentOutcome.PENDING,
                    RememberedPayment.expires_at > self._now(),
                )
                .values(outcome=outcome, settles_as=settles_as, settles_at=settles_at)
            )

    def close(self, session: str) -> PaymentResult:
        """Close the page, unless the customer has decided."""
        self.decide(session, PaymentOutcome.EXPIRED)
        return self.fetch(session)

    def refund(self, asked: RefundAsked) -> RefundResult:
        """Give the money back that was never taken, at once."""
        return RefundResult(
            reference=f"{_REFUND}{asked.refund_id}",
            state=RefundState.SUCCEEDED,
            intent=asked.intent,
            amount=asked.amount,
            currency=asked.currency,
            refund_id=asked.refund_id,
        )

    def fetch_refund(self, reference: str) -> RefundResult:
        """Raises ``ProviderError``: every refund is over when it is asked for."""
        raise ProviderError(f"the test provider keeps no refunds, and so none named {reference}")

    def payments_since(self, since: datetime) -> Iterator[PaymentResult]:
        """None, because nobody pays but on our own page."""
        return iter(())

    def refunds_since(self, since: datetime) -> Iterator[RefundResult]:
        """None, because nobody refunds but we."""
        return iter(())

    def _outcome(self, payment: RememberedPayment) -> PaymentOutcome:
        now = self._now()
        outcome = PaymentOutcome(payment.outcome)
        if outcome is PaymentOutcome.PENDING and payment.expires_at <= now:
            return PaymentOutcome.EXPIRED
        if payment.settles_at is not None and payment.settles_at <= now:
            return PaymentOutcome(payment.settles_as or outcome)
        return outcome

    def _page(self, session: str) -> str:
        request: Request = background_request(self._registry, "test provider")
        link: str = request.link("test_payment", payment=session)
        return link

    def _now(self) -> datetime:
        now: datetime = self._registry.clock()
        return now
