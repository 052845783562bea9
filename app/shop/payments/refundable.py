"""What of a payment can be refunded. Reserving an amount makes sure that refunds never give back
more than was paid (STANDARDS D8).
"""

from collections.abc import Collection

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.i18n.formats import money
from app.i18n.languages import SOURCE
from app.shop.models import Order, OrderLine, Payment, PaymentState, Refund, RefundState
from app.shop.payments.provider import PaymentProvider
from app.shop.refund_taxes import left_at_rates

HOLDING = (RefundState.REQUESTED, RefundState.PENDING, RefundState.SUCCEEDED)
"""The states in which a refund holds its amount, so that no other refund gives it back."""


class CannotRefund(Exception):
    """The refund is impossible. The text tells staff why, and what to do."""


class MoreThanLeft(CannotRefund):
    """The amount is more than what is left of the payment, or of the order's line.

    ``left`` is what can still be refunded, in minor units of ``currency``.
    """

    def __init__(self, left: int, currency: str) -> None:
        self.left, self.currency = left, currency
        super().__init__(
            f"Only {money(left, currency, SOURCE)} can still be refunded."
            if left
            else "Nothing is left to refund."
        )


def taken_elsewhere(payment: Payment, provider: PaymentProvider) -> str:
    """Why the shop's provider cannot refund the payment: another one took the money, or the same
    one in the other mode. Empty if it is the one that took it.
    """
    if (payment.provider, payment.is_test) == (provider.name, provider.is_test):
        return ""
    took = f"{payment.provider} ({'test' if payment.is_test else 'live'})"
    has = f"{provider.name} ({'test' if provider.is_test else 'live'})"
    return f"The payment was made with {took}, and the shop's provider is {has} now."


def payment_of(order: Order) -> Payment | None:
    """The payment that made the order paid; None as long as it is not paid."""
    receipt = order.receipt
    if receipt is None:
        return None
    return next(payment for payment in order.payments if payment.id == receipt.payment_id)


def paid_beside(order: Order) -> Payment | None:
    """A payment that came after the order was paid, and that is not wholly refunded; or None."""
    receipt = order.receipt
    for payment in order.payments:
        is_beside = receipt is not None and payment.id != receipt.payment_id
        if is_beside and payment.state == PaymentState.PAID and payment.refunded < payment.amount:
            return payment
    return None


def line_of(order: Order, position: int) -> OrderLine:
    """The order's line. Raises ``CannotRefund``."""
    for line in order.lines:
        if line.position == position:
            return line
    raise CannotRefund(f"The order has no line {position + 1}. It has {len(order.lines)}.")


def left_of(session: Session, order: Order, payment: Payment, position: int | None = None) -> int:
    """What can still be refunded of the payment, or of one line, in minor units.

    Raises ``CannotRefund`` when the order has no such line.
    """
    left = payment.amount - payment.refunded
    if position is None:
        return left
    return min(left, left_of_line(session, payment, line_of(order, position)))


def left_of_line(session: Session, payment: Payment, line: OrderLine) -> int:
    """What refunds have left of this line, in minor units.

    A refund of no particular line has taken from every rate of VAT, and at no rate can more go back
    than the receipt says.
    """
    held = session.scalar(
        select(func.coalesce(func.sum(Refund.amount), 0)).where(
            Refund.payment_id == payment.id,
            Refund.position == line.position,
            Refund.state.in_(HOLDING),
        )
    )
    at_rate = sum(tax.gross for tax in left_at_rates(session, payment) if tax.rate == line.vat_rate)
    return min(line.total - int(held or 0), at_rate)


def reserve(
    session: Session,
    payment: Payment,
    amount: int,
    states: Collection[PaymentState] = (PaymentState.PAID,),
) -> bool:
    """Reserve ``amount`` minor units of a payment in one of the ``states``. False when less is
    left.

    It locks the payment's row, so the refunds of a payment are reserved one after the other.
    """
    reserved = session.scalars(
        update(Payment)
        .where(
            Payment.id == payment.id,
            Payment.state.in_(states),
            Payment.refunded + amount <= Payment.amount,
        )
        .values(refunded=Payment.refunded + amount)
        .returning(Payment)
        .execution_options(populate_existing=True)
    ).one_or_none()
    return reserved is not None


def free(session: Session, payment_id: str, amount: int) -> None:
    """Give a reserved amount free, for other refunds."""
    session.execute(
        update(Payment)
        .where(Payment.id == payment_id)
        .values(refunded=Payment.refunded - amount)
        .execution_options(synchronize_session="fetch")
    )
