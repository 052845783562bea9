"""Where an order stands, in the few words of the customer's list of orders."""

from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.shop.models import Order, Payment, PaymentState, Refund, RefundState
from app.shop.payments.refundable import payment_of
from app.web.translation import _

PAID, NOT_PAID = _("Paid"), _("Not paid")
REFUNDED, PARTLY_REFUNDED = _("Refunded"), _("Partly refunded")
WITHDRAWN = _("Withdrawn")
CHECKED, ON_ITS_WAY = _("We are checking your payment"), _("Payment on its way")
FAILED = _("Payment failed")


def shown_payment(order: Order) -> Payment | None:
    """The payment that a customer is told about: the one that paid the order, else the latest. None
    when the server died before it made one.
    """
    return payment_of(order) or next(reversed(order.payments), None)


def is_withdrawn(order: Order) -> bool:
    """Whether the buyer has withdrawn from all of the order."""
    return all(line.closed_at for line in order.lines)


def statuses_of(session: Session, orders: Sequence[Order]) -> dict[int, str]:
    """The status of each order, by the order's id, as a translation string."""
    payments = {order.id: shown_payment(order) for order in orders}
    refunded = _refunded(session, [payment.id for payment in payments.values() if payment])
    return {order.id: _status(order, payments[order.id], refunded) for order in orders}


def _refunded(session: Session, payment_ids: Sequence[str]) -> dict[str, int]:
    """What the provider has given back of each payment, in minor units."""
    sums = session.execute(
        select(Refund.payment_id, func.sum(Refund.amount))
        .where(Refund.payment_id.in_(payment_ids), Refund.state == RefundState.SUCCEEDED)
        .group_by(Refund.payment_id)
    )
    return {payment_id: int(amount) for payment_id, amount in sums}


def _status(order: Order, payment: Payment | None, refunded: Mapping[str, int]) -> str:
    if payment is None:
        return WITHDRAWN if is_withdrawn(order) else NOT_PAID
    if order.is_paid:
        given_back = refunded.get(payment.id, 0)
        if given_back and given_back == payment.amount:
            return REFUNDED
        if is_withdrawn(order):
            return WITHDRAWN
        return PARTLY_REFUNDED if given_back else PAID
    # As on the page of the order, money that has moved counts more than a withdrawal.
    if payment.state == PaymentState.HELD and not payment.is_given_back:
        return CHECKED
    if payment.state == PaymentState.PROCESSING:
        return ON_ITS_WAY
    if is_withdrawn(order):
        return WITHDRAWN
    return FAILED if payment.state == PaymentState.FAILED else NOT_PAID
