"""The shop's emails: their kinds, contexts and samples, and the functions that compose them from
rows and queue them. Their templates stand in ``templates/email``.
"""

from app.shop.emails.download_ready import DOWNLOAD_READY, DownloadReady
from app.shop.emails.notices import send_shop_notice
from app.shop.emails.payments import (
    PAYMENT_FAILED,
    PAYMENT_PENDING,
    PaymentFailed,
    PaymentPending,
)
from app.shop.emails.purchase_receipt import MAX_OFFERS, PurchaseReceipt, ReceiptLine
from app.shop.emails.receipt_samples import PURCHASE_RECEIPT
from app.shop.emails.refund_receipt import REFUND_RECEIPT, RefundReceipt
from app.shop.emails.send import (
    download_key,
    receipt_key,
    send_download_ready,
    send_payment_failed,
    send_payment_pending,
    send_purchase_receipt,
    send_refund_receipt,
    send_withdrawal_received,
)
from app.shop.emails.shop_notice import SHOP_NOTICE, Notice, ShopNotice
from app.shop.emails.withdrawal_received import (
    WITHDRAWAL_RECEIVED,
    NextStep,
    Statement,
    WithdrawalReceived,
)
from app.shop.parties import Buyer, Seller

KINDS = (
    PURCHASE_RECEIPT,
    PAYMENT_PENDING,
    PAYMENT_FAILED,
    REFUND_RECEIPT,
    DOWNLOAD_READY,
    WITHDRAWAL_RECEIVED,
    SHOP_NOTICE,
)
"""Every kind of email that the shop sends."""

__all__ = [
    "DOWNLOAD_READY",
    "KINDS",
    "MAX_OFFERS",
    "PAYMENT_FAILED",
    "PAYMENT_PENDING",
    "PURCHASE_RECEIPT",
    "REFUND_RECEIPT",
    "SHOP_NOTICE",
    "WITHDRAWAL_RECEIVED",
    "Buyer",
    "DownloadReady",
    "NextStep",
    "Notice",
    "PaymentFailed",
    "PaymentPending",
    "PurchaseReceipt",
    "ReceiptLine",
    "RefundReceipt",
    "Seller",
    "ShopNotice",
    "Statement",
    "WithdrawalReceived",
    "download_key",
    "receipt_key",
    "send_download_ready",
    "send_payment_failed",
    "send_payment_pending",
    "send_purchase_receipt",
    "send_refund_receipt",
    "send_shop_notice",
    "send_withdrawal_received",
]
