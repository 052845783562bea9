"""Composes the emails to customers from rows, and queues them in the transaction of ``session``.

The request may be one that nobody sent. An email about an order is in the order's language and
format. Each has one key, so reaching a state a second time sends nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from gettext import NullTranslations
from typing import Any

from pyramid.request import Request
from sqlalchemy.orm import Session

from app.i18n.languages import Languages
from app.mail import Attachment, BodyFormat, EmailService, Kind, Recipient
from app.shop import money
from app.shop.emails.attachments import document_file, terms_file
from app.shop.emails.download_ready import DOWNLOAD_READY, DownloadReady
from app.shop.emails.payments import (
    PAYMENT_FAILED,
    PAYMENT_PENDING,
    PaymentFailed,
    PaymentPending,
)
from app.shop.emails.purchase_receipt import PurchaseReceipt, ReceiptLine
from app.shop.emails.receipt_samples import PURCHASE_RECEIPT
from app.shop.emails.refund_receipt import REFUND_RECEIPT, RefundReceipt
from app.shop.emails.withdrawal_received import (
    WITHDRAWAL_RECEIVED,
    NextStep,
    Statement,
    WithdrawalReceived,
)
from app.shop.models import Document, Order, Payment, Refund, RefundOrigin, Withdrawal
from app.shop.order_numbers import read_order_number
from app.shop.parties import buyer_of, seller_of
from app.web import limits


def receipt_key(order: Order) -> str:
    """The key of the email with the order's receipt."""
    return f"purchase_receipt:{order.id}"


def download_key(order: Order) -> str:
    """The key of the email that says that the order's downloads are open."""
    return f"download_ready:{order.id}"


def send_purchase_receipt(
    request: Request,
    session: Session,
    order: Order,
    payment: Payment,
    document: Document,
    *,
    key: str | None = None,
    copy_to: str | None = None,
) -> None:
    """Queue the receipt of a paid order, with its PDF and the terms.

    When the customer asks for the receipt again, ``copy_to`` is the customer's present address and
    ``key`` is another one than ``receipt_key``.
    """
    words = _translations(request, order.locale)
    pdf, terms = document_file(document, words), terms_file(order, words)
    waits = order.consent_at is None and order.opened_at is None
    context = PurchaseReceipt(
        order_number=order.number,
        receipt_number=document.full_number,
        ordered_at=order.created_at,
        issued_at=document.issued_at,
        link=_order_link(request, order),
        seller=seller_of(order),
        buyer=buyer_of(order),
        currency=order.currency,
        lines=tuple(
            ReceiptLine(line.name, line.quantity, line.unit_price, line.vat_rate, line.format)
            for line in order.lines
        ),
        taxes=tuple(money.Tax(tax.rate, tax.gross, tax.vat) for tax in order.taxes),
        net=order.net,
        total=order.total,
        vat_sentence=order.vat_sentence,
        card_brand=payment.card_brand,
        card_last4=payment.card_last4,
        statement_name=payment.statement_name or order.seller_statement_name or None,
        withdraw_link=_withdraw_link(request),
        withdraw_until=order.withdraw_until,
        consent_at=order.consent_at,
        opens_at=order.withdrawal_ends_at if waits else None,
        has_terms=bool(terms),
        has_pdf=bool(pdf),
        is_test=payment.is_test,
        is_copy=copy_to is not None,
    )
    key = key or receipt_key(order)
    _send_about(order, request, session, PURCHASE_RECEIPT, context, key, pdf + terms, copy_to)


def send_payment_pending(
    request: Request, session: Session, order: Order, payment: Payment
) -> None:
    """Queue the news that a payment is on its way and takes days."""
    context = PaymentPending(
        order.number, _order_link(request, order), order.total, order.currency, payment.is_test
    )
    key = f"payment_pending:{payment.id}"
    _send_about(order, request, session, PAYMENT_PENDING, context, key)


def send_payment_failed(request: Request, session: Session, order: Order, payment: Payment) -> None:
    """Queue the news that a payment which was on its way has failed."""
    context = PaymentFailed(
        order.number, _order_link(request, order), order.total, order.currency, payment.is_test
    )
    key = f"payment_failed:{payment.id}"
    _send_about(order, request, session, PAYMENT_FAILED, context, key)


def send_refund_receipt(
    request: Request,
    session: Session,
    order: Order,
    refund: Refund,
    document: Document,
    *,
    taxes: Sequence[money.Tax] = (),
) -> None:
    """Queue the receipt of a refund that has succeeded, with its PDF. ``taxes`` is how its document
    splits the amount over the VAT rates.
    """
    pdf = document_file(document, _translations(request, order.locale))
    receipt = order.receipt
    payment = refund.payment
    context = RefundReceipt(
        order_number=order.number,
        refund_number=document.full_number,
        receipt_number=receipt.full_number if receipt else "",
        issued_at=document.issued_at,
        link=_order_link(request, order),
        seller=seller_of(order),
        buyer=buyer_of(order),
        currency=refund.currency,
        amount=refund.amount,
        order_total=order.total,
        lines=tuple(line.name for line in order.lines if line.position == refund.position),
        taxes=tuple(taxes),
        vat_sentence=order.vat_sentence,
        origin=RefundOrigin(refund.origin),
        reason=refund.reason,
        card_brand=payment.card_brand,
        card_last4=payment.card_last4,
        has_pdf=bool(pdf),
        is_test=payment.is_test,
    )
    key = f"refund_receipt:{refund.id}"
    _send_about(order, request, session, REFUND_RECEIPT, context, key, pdf)


def send_download_ready(
    request: Request, session: Session, order: Order, *, consent_at: datetime | None
) -> None:
    """Queue the news that the downloads of a paid order are open. ``consent_at`` is when the
    customer pressed the button that opens them; None when the time to withdraw has passed.
    """
    context = DownloadReady(
        order_number=order.number,
        ordered_at=order.created_at,
        link=_order_link(request, order),
        files=tuple(line.name for line in order.lines if line.closed_at is None),
        consent_at=consent_at,
        withdraw_link=_withdraw_link(request),
        withdraw_until=order.withdraw_until,
        is_test=order.is_test,
    )
    _send_about(order, request, session, DOWNLOAD_READY, context, download_key(order))


def send_withdrawal_received(
    request: Request,
    session: Session,
    withdrawal: Withdrawal,
    order: Order | None,
    next_step: NextStep = NextStep.CHECK,
) -> None:
    """Queue the acknowledgement of a withdrawal. ``order`` is the one with the stated number and
    email address. None when there is none: then the email repeats nothing that was typed, except
    the order number in its standard form (STANDARDS A15). ``next_step`` is what the shop does now.
    """
    key = f"withdrawal_received:{withdrawal.id}"
    if order is None:
        number = read_order_number(withdrawal.order_number) or ""
        unconfirmed = WithdrawalReceived(number, withdrawal.received_at, None)
        to = Recipient(withdrawal.email, locale=withdrawal.locale)
        message = request.compose(
            WITHDRAWAL_RECEIVED, unconfirmed, to=to, about=f"withdrawal:{withdrawal.id}"
        )
        # Anybody can have this sent to any address, so the limits count who asks.
        asked_by = limits.asker(request)
        _service(request, session).send_message(message, key=key, asked_by=asked_by)
        return
    chosen = [line.name for line in order.lines if line.position in withdrawal.positions]
    is_whole = len(chosen) == len(order.lines)
    statement = Statement(withdrawal.name, withdrawal.email, () if is_whole else tuple(chosen))
    context = WithdrawalReceived(
        order.number, withdrawal.received_at, statement, next_step, order.is_test
    )
    _send_about(order, request, session, WITHDRAWAL_RECEIVED, context, key)


def _send_about(
    order: Order,
    request: Request,
    session: Session,
    kind: Kind,
    context: Any,
    key: str,
    attachments: tuple[Attachment, ...] = (),
    address: str | None = None,
) -> None:
    """``address`` takes the place of the one in the order."""
    recipient = Recipient(
        address=address or order.buyer_email,
        name=order.buyer_name,
        locale=order.locale,
        body_format=BodyFormat(order.body_format),
    )
    message = request.compose(
        kind, context, to=recipient, about=f"order:{order.id}", attachments=attachments
    )
    _service(request, session).send_message(message, key=key)


def _service(request: Request, session: Session) -> EmailService:
    service: EmailService = request.email_service
    return replace(service, session=session)


def _translations(request: Request, locale: str) -> NullTranslations:
    languages: Languages = request.registry.languages
    return languages.translations(languages.nearest(locale))


def _order_link(request: Request, order: Order) -> str:
    link: str = request.link("order", number=order.number)
    return link


def _withdraw_link(request: Request) -> str:
    link: str = request.link("withdraw")
    return link
