"""How refunds are spread over the VAT rates of an order, so that they never give back more at a
rate than the receipt says, and all refunds together give back exactly its VAT (STANDARDS D6).

A refund of a line is at the line's rate. Any other refund takes from each rate in proportion to
what earlier refunds left of it.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.shop.models import Document, Order, Payment, Refund, RefundState
from app.shop.models.refunds import OPEN
from app.shop.money import Tax, split, subtract


def refund_taxes(session: Session, refund: Refund) -> tuple[Tax, ...]:
    """The amount of a refund that has succeeded, at each rate; empty when the payment has no
    receipt, because then nothing was supplied for it.

    Documents of the same payment wait for each other here until the transaction ends.
    """
    payment = session.scalars(
        select(Payment)
        .where(Payment.id == refund.payment_id)
        # key_share: a row that refers to the payment can be written meanwhile, so nobody deadlocks.
        .with_for_update(key_share=True)
    ).one()
    left = left_at_rates(session, payment)
    if refund.position is not None:
        left = _at_rate(left, _rate(payment.order, refund.position))
    # A held payment that staff accepted can have brought more than the receipt says.
    return split(min(refund.amount, sum(tax.gross for tax in left)), left)


def left_at_rates(session: Session, payment: Payment) -> tuple[Tax, ...]:
    """What refunds left of the order's sums at each rate. Refunds of lines that wait for the
    provider's word have taken theirs already. Empty when the payment has no receipt.
    """
    order = payment.order
    receipt = order.receipt
    if receipt is None or receipt.payment_id != payment.id:
        return ()
    left = tuple(Tax(tax.rate, tax.gross, tax.vat) for tax in order.taxes)
    succeeded = (
        select(Document.data)
        .join(Refund, Refund.id == Document.refund_id)
        .where(Refund.payment_id == payment.id, Refund.state == RefundState.SUCCEEDED)
    )
    for data in session.scalars(succeeded):
        left = subtract(left, [Tax(**tax) for tax in (data or {}).get("taxes", ())])
    waiting = select(Refund).where(
        Refund.payment_id == payment.id, Refund.position.is_not(None), Refund.state.in_(OPEN)
    )
    for refund in session.scalars(waiting):
        rate = _rate(order, refund.position)
        left = subtract(left, split(refund.amount, _at_rate(left, rate)))
    return left


def _at_rate(taxes: tuple[Tax, ...], rate: int) -> tuple[Tax, ...]:
    return tuple(tax for tax in taxes if tax.rate == rate)


def _rate(order: Order, position: int | None) -> int:
    return next(line.vat_rate for line in order.lines if line.position == position)
