"""The shop's tables.

An order holds snapshots of its goods, prices, tax, seller and buyer, written once when it is
placed. A later change of a product, account or seller changes no order and no document (STANDARDS
D2). Amounts are whole minor units of ``currency`` and include VAT. Rates are basis points: 1900 is
19%.
"""

from app.shop.models.catalogue import File, Product, ProductText, Seller, TaxRate
from app.shop.models.columns import Amount
from app.shop.models.documents import Document, DocumentCounter, DocumentKind
from app.shop.models.events import ShopEvent
from app.shop.models.orders import Order, OrderLine, OrderState, OrderTax
from app.shop.models.payments import Payment, PaymentState
from app.shop.models.refunds import Refund, RefundOrigin, RefundState
from app.shop.models.withdrawals import Withdrawal, WithdrawalState

__all__ = [
    "Amount",
    "Document",
    "DocumentCounter",
    "DocumentKind",
    "File",
    "Order",
    "OrderLine",
    "OrderState",
    "OrderTax",
    "Payment",
    "PaymentState",
    "Product",
    "ProductText",
    "Refund",
    "RefundOrigin",
    "RefundState",
    "Seller",
    "ShopEvent",
    "TaxRate",
    "Withdrawal",
    "WithdrawalState",
]
