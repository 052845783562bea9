"""Refunds and disputes: what takes money back from a charge."""

from tests.support.stripe.errors import invalid, refused
from tests.support.stripe.money import check_refund
from tests.support.stripe.parameters import EMAIL, METADATA, check
from tests.support.stripe.state import Json, State, new_id

SCHEMA: Json = {
    "amount": int,
    "charge": str,
    "currency": str,
    "expand": [str],
    "instructions_email": EMAIL,
    "metadata": METADATA,
    "payment_intent": str,
    "reason": ("duplicate", "fraudulent", "requested_by_customer"),
    "refund_application_fee": bool,
    "reverse_transfer": bool,
}
OVER = ("failed", "canceled")
"""States of a refund whose money stayed with, or came back to, the shop."""


def create(state: State, params: Json, livemode: bool, status: str) -> Json:
    """POST /v1/refunds. Raises ``ApiError``. ``status`` is what becomes of the refund at once."""
    asked = check(params, SCHEMA)
    charge = _charge_of(state, asked, livemode)
    left = charge["amount"] - charge["amount_refunded"]
    amount = asked.get("amount", left)
    if "amount" in asked and amount < 1:
        message = "Invalid positive integer"
        raise invalid(message, "amount", "parameter_invalid_integer")
    if charge["disputed"]:
        message = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise refused(message, "charge_disputed")
    check_refund(amount, left, charge["currency"], charge["id"])
    refund = state.store(
        {
            "id": new_id("re_3"),
            "object": "refund",
            "amount": amount,
            "charge": charge["id"],
            "created": state.now,
            "currency": charge["currency"],
            "destination_details": {"type": charge["payment_method_details"]["type"]},
            "metadata": asked.get("metadata", {}),
            "payment_intent": charge["payment_intent"],
            "reason": asked.get("reason"),
            "receipt_number": None,
            "status": "pending" if status in OVER else status,
        }
    )
    _add(charge, amount)
    state.record("refund.created", refund)
    state.record("charge.refunded", charge)
    if status in OVER:
        change(state, refund["id"], status)
    return refund


def change(state: State, id: str, status: str) -> Json:
    """What becomes of a refund later: ``succeeded``, ``failed`` (even after it succeeded),
    ``canceled`` or ``requires_action``.
    """
    refund = state.objects["refund"][id]
    previous = refund["status"]
    assert previous not in OVER, f"the refund is {previous}"
    refund["status"] = status
    if status in OVER:
        _add(state.objects["charge"][refund["charge"]], -refund["amount"])
    if status == "failed":
        refund["failure_reason"] = "expired_or_canceled_card"
    state.record("refund.updated", refund, {"status": previous})
    if status == "failed":
        state.record("refund.failed", refund)
    return refund


def _add(charge: Json, amount: int) -> None:
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]


def _charge_of(state: State, asked: Json, livemode: bool) -> Json:
    if "payment_intent" in asked:
        intent = state.find("payment_intent", asked["payment_intent"], livemode, "payment_intent")
        charge = state.objects["charge"].get(intent["latest_charge"] or "")
        if charge is None or not charge["paid"]:
            id = intent["id"]
            message = f"This PaymentIntent ({id}) does not have a successful charge to refund."
            raise refused(message)
        return charge
    if "charge" not in asked:
        raise invalid("One of the following params should be provided: payment_intent or charge.")
    return state.find("charge", asked["charge"], livemode, "charge")


def dispute(state: State, intent: str, amount: int | None, reason: str) -> Json:
    """The customer's bank takes the money back, until the dispute is won."""
    charge = state.objects["charge"][state.objects["payment_intent"][intent]["latest_charge"]]
    charge["disputed"] = True
    made = state.store(
        {
            "id": new_id("du_1"),
            "object": "dispute",
            "amount": charge["amount"] if amount is None else amount,
            "charge": charge["id"],
            "created": state.now,
            "currency": charge["currency"],
            "evidence_details": {
                "due_by": state.now + 9 * 86400,
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": charge["livemode"],
            "metadata": {},
            "payment_intent": intent,
            "reason": reason,
            "status": "needs_response",
        }
    )
    state.record("charge.dispute.created", made)
    return made


def close_dispute(state: State, id: str, status: str) -> Json:
    """The dispute is ``won`` or ``lost``."""
    found = state.objects["dispute"][id]
    found["status"] = status
    state.record("charge.dispute.closed", found)
    return found
