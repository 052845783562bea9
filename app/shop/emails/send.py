"""Composes the shop's emails from rows, and queues them in the caller's transaction."""

from dataclasses import replace

from pyramid.request import Request
from sqlalchemy.orm import Session

from app.mail.message import BodyFormat, Recipient
from app.shop import money
from app.shop.emails.parties import Buyer, Seller
from app.shop.emails.purchase_receipt import PurchaseReceipt, ReceiptLine
from app.shop.emails.receipt_samples import PURCHASE_RECEIPT
from app.shop.models import Order, Payment, Receipt


def receipt_key(order: Order) -> str:
    """The key of the email with the order's receipt."""
    return f"purchase_receipt:{order.id}"


def send_purchase_receipt(
    request: Request,
    session: Session,
    order: Order,
    payment: Payment,
    receipt: Receipt,
    *,
    key: str | None = None,
    is_copy: bool = False,
) -> None:
    """Queue the receipt of a paid order in the transaction of ``session``, which settles the
    payment. Its language and format are those of the time when the order was placed. ``key`` is
    another one than ``receipt_key`` when the customer asks for the receipt again.
    """
    context = PurchaseReceipt(
        order_number=order.number,
        receipt_number=receipt.number,
        ordered_at=order.created_at,
        issued_at=receipt.issued_at,
        link=request.link("order", number=order.number),
        seller=Seller(
            order.seller_name,
            tuple(order.seller_address.splitlines()),
            "",
            order.seller_support_email,
            vat_id=order.seller_vat_id,
        ),
        buyer=Buyer(order.buyer_name, tuple(order.buyer_address.splitlines()), ""),
        currency=order.currency,
        lines=tuple(
            ReceiptLine(line.name, line.quantity, line.unit_price, line.vat_rate)
            for line in order.lines
        ),
        taxes=tuple(money.Tax(tax.rate, tax.gross, tax.vat) for tax in order.taxes),
        net=order.net,
        total=order.total,
        vat_sentence="",
        card_brand=payment.card_brand,
        card_last4=payment.card_last4,
        statement_name=order.seller_statement_name,
        withdraw_link=f"{request.registry.pillarbox.site.base_url}/withdraw",
        withdrawal_ends_at=order.created_at,
        consent_at=None,
        opens_at=None,
        has_terms=False,
        has_pdf=False,
        is_test=payment.is_test,
        is_copy=is_copy,
    )
    recipient = Recipient(
        address=order.buyer_email,
        name=order.buyer_name,
        locale=order.locale,
        body_format=BodyFormat(order.body_format),
    )
    message = request.compose(PURCHASE_RECEIPT, context, to=recipient, about=f"order:{order.id}")
    service = replace(request.email_service, session=session)
    service.send_message(message, key=key or receipt_key(order))
