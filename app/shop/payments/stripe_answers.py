"""What Stripe's answers mean: sessions, refunds and references, in the words of the protocol."""

from typing import Any

import stripe

from app.shop.models import RefundState
from app.shop.payments.provider import PaymentOutcome, PaymentResult, RefundResult

_REFUND_STATES = {
    "pending": RefundState.PENDING,
    "requires_action": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.CANCELED,
}


def payment_result(session: stripe.checkout.Session) -> PaymentResult:
    """A session, with its payment and charge if they are expanded."""
    intent = (
        session.payment_intent if isinstance(session.payment_intent, stripe.PaymentIntent) else None
    )
    charge = intent.latest_charge if intent is not None else None
    brand, last4 = _method(charge) if isinstance(charge, stripe.Charge) else (None, None)
    return PaymentResult(
        outcome=_outcome(session, intent),
        payment_id=session.client_reference_id or "",
        amount=session.amount_total or 0,
        currency=(session.currency or "").upper(),
        livemode=session.livemode,
        intent=id_of(session.payment_intent),
        card_brand=brand,
        card_last4=last4,
        statement_name=(
            charge.calculated_statement_descriptor if isinstance(charge, stripe.Charge) else None
        ),
        session=session.id,
        url=session.url if session.status == "open" else None,
    )


def _outcome(
    session: stripe.checkout.Session, intent: stripe.PaymentIntent | None
) -> PaymentOutcome:
    if session.status == "open":
        return PaymentOutcome.PENDING
    if session.status == "expired":
        return PaymentOutcome.EXPIRED
    if session.payment_status in ("paid", "no_payment_required"):
        return PaymentOutcome.PAID
    if intent is not None and intent.status in ("requires_payment_method", "canceled"):
        return PaymentOutcome.FAILED
    return PaymentOutcome.PROCESSING


def _method(charge: stripe.Charge) -> tuple[str | None, str | None]:
    """What paid, and its last four digits: a card's brand, or the name of another method."""
    if charge.payment_method_details is None:
        return None, None
    details: dict[str, Any] = charge.payment_method_details.to_dict()
    kind = details["type"]
    facts = details.get(kind) or {}
    brand = (facts.get("brand") if kind == "card" else kind) or kind
    name = _BRANDS.get(brand) or brand.replace("_", " ").capitalize()
    return name[:32], facts.get("last4")


_BRANDS = {
    "amex": "American Express",
    "cartes_bancaires": "Cartes Bancaires",
    "diners": "Diners Club",
    "eps": "EPS",
    "ideal": "iDEAL",
    "jcb": "JCB",
    "mastercard": "Mastercard",
    "p24": "Przelewy24",
    "paypal": "PayPal",
    "sepa_debit": "SEPA",
    "unionpay": "UnionPay",
    "visa": "Visa",
}


def refund_result(refund: stripe.Refund) -> RefundResult:
    """A refund."""
    facts: dict[str, Any] = refund.to_dict()
    return RefundResult(
        reference=refund.id,
        state=_REFUND_STATES[refund.status or "pending"],
        intent=id_of(refund.payment_intent) or "",
        amount=refund.amount,
        currency=refund.currency.upper(),
        refund_id=(facts.get("metadata") or {}).get("refund"),
        failure=facts.get("failure_reason"),
    )


def id_of(reference: Any) -> str | None:
    """The id of an object that Stripe names by its id, or gives in full."""
    if reference is None or isinstance(reference, str):
        return reference
    found: str = reference.id
    return found
