"""What the document of a payment or refund says, taken from the rows."""

from collections.abc import Sequence
from dataclasses import replace

from app.shop.documents.content import Correction, DocumentContent, Line
from app.shop.models import Document, DocumentKind, Order, OrderLine, Payment, Refund
from app.shop.money import Tax
from app.shop.parties import buyer_of, seller_of


def receipt_content(document: Document, order: Order, payment: Payment) -> DocumentContent:
    """What the receipt of a paid order says."""
    return DocumentContent(
        kind=DocumentKind.RECEIPT,
        number=document.full_number,
        is_test=payment.is_test,
        locale=order.locale,
        issued_at=document.issued_at,
        ordered_at=order.created_at,
        order_number=order.number,
        seller=seller_of(order),
        buyer=buyer_of(order),
        currency=order.currency,
        lines=tuple(_line(line) for line in order.lines),
        taxes=tuple(Tax(tax.rate, tax.gross, tax.vat) for tax in order.taxes),
        vat_sentence=order.vat_sentence,
        total=order.total,
        card_brand=payment.card_brand or "",
        card_last4=payment.card_last4 or "",
        statement_name=payment.statement_name or order.seller_statement_name,
        withdraw_until=order.withdraw_until,
    )


def refund_content(
    document: Document, order: Order, payment: Payment, refund: Refund, taxes: Sequence[Tax]
) -> DocumentContent:
    """What the document of a refund says. ``taxes`` is its amount at each rate of VAT, empty when
    the payment has no receipt.
    """
    receipt = order.receipt
    if receipt is None or receipt.payment_id != payment.id:
        correction = Correction("", None, refund.reason)
    else:
        correction = Correction(receipt.full_number, receipt.issued_at, refund.reason)
    return replace(
        receipt_content(document, order, payment),
        kind=DocumentKind.REFUND,
        currency=refund.currency,
        lines=_refunded_lines(order, refund) if correction.receipt_number else (),
        taxes=tuple(taxes),
        total=refund.amount,
        statement_name="",
        withdraw_until=None,
        correction=correction,
    )


def _refunded_lines(order: Order, refund: Refund) -> tuple[Line, ...]:
    """The goods that the refund is for; none when its amount is for no goods in particular."""
    if refund.position is not None:
        line = next(line for line in order.lines if line.position == refund.position)
        if refund.amount == line.total:
            return (_line(line),)
        part = replace(_line(line), quantity=1, unit_price=refund.amount, total=refund.amount)
        return (part,)
    if refund.amount == order.total:
        return tuple(_line(line) for line in order.lines)
    return ()


def _line(line: OrderLine) -> Line:
    return Line(line.name, line.format, line.quantity, line.unit_price, line.vat_rate, line.total)
