"""What the customer does on the hosted page, and what becomes of a delayed payment afterwards."""

from tests.support.stripe.sessions import end_what_is_over
from tests.support.stripe.state import Json, State, new_id

DECLINED = "Your card was declined. Try another card."


class NotPayable(Exception):
    """The session is not open, or has no delayed payment that could succeed or fail."""


def pay(state: State, id: str, brand: str = "visa", last4: str = "4242") -> Json:
    """Pay by card."""
    session = _open(state, id)
    if session["amount_total"] > 0:
        card = {"brand": brand, "country": "DE", "funding": "credit", "last4": last4}
        intent = _intent(state, session)
        _charge(state, intent, {"card": card, "type": "card"}, "succeeded")
        intent |= {"status": "succeeded", "amount_received": intent["amount"]}
        session["payment_status"] = "paid"
    _complete(state, session)
    return session


def pay_later(state: State, id: str, last4: str = "3000") -> Json:
    """Pay by SEPA direct debit: the session is complete, and the money comes in days or never."""
    session = _open(state, id)
    debit = {"bank_code": "37040044", "country": "DE", "last4": last4}
    intent = _intent(state, session)
    _charge(state, intent, {"sepa_debit": debit, "type": "sepa_debit"}, "pending")
    intent["status"] = "processing"
    _complete(state, session)
    return session


def succeed_later(state: State, id: str) -> Json:
    """The money of a delayed payment is there."""
    session, intent, charge = _processing(state, id)
    charge |= {"status": "succeeded", "paid": True, "amount_captured": charge["amount"]}
    intent |= {"status": "succeeded", "amount_received": intent["amount"]}
    session["payment_status"] = "paid"
    state.record("checkout.session.async_payment_succeeded", session)
    return session


def fail_later(state: State, id: str) -> Json:
    """The bank does not pay."""
    session, intent, charge = _processing(state, id)
    charge |= {
        "status": "failed",
        "failure_code": "insufficient_funds",
        "failure_message": "The customer's account has insufficient funds.",
    }
    intent |= {"status": "requires_payment_method"}
    intent["last_payment_error"] = {"code": "payment_intent_payment_attempt_failed"}
    state.record("checkout.session.async_payment_failed", session)
    return session


def decline(state: State, id: str) -> Json:
    """The card is declined. The session stays open, and its page says so."""
    session = _open(state, id)
    intent = _intent(state, session)
    card = {"brand": "visa", "country": "DE", "funding": "credit", "last4": "0002"}
    charge = _charge(state, intent, {"card": card, "type": "card"}, "failed")
    charge |= {"failure_code": "card_declined", "failure_message": DECLINED}
    intent |= {
        "status": "requires_payment_method",
        "last_payment_error": {"code": "card_declined", "message": DECLINED, "type": "card_error"},
    }
    state.messages[id] = DECLINED
    return session


def _open(state: State, id: str) -> Json:
    end_what_is_over(state)
    session = state.objects["checkout.session"][id]
    if session["status"] != "open":
        raise NotPayable(f"the session is {session['status']}")
    return session


def _processing(state: State, id: str) -> tuple[Json, Json, Json]:
    session = state.objects["checkout.session"][id]
    intent = state.objects["payment_intent"].get(session["payment_intent"])
    if session["status"] != "complete" or intent is None or intent["status"] != "processing":
        raise NotPayable("the session has no delayed payment on its way")
    return session, intent, state.objects["charge"][intent["latest_charge"]]


def _complete(state: State, session: Json) -> None:
    session |= {"status": "complete", "url": None}
    details = session["customer_details"] or {"email": "buyer@example.com"}
    session["customer_details"] = details | {"name": "Buyer", "address": {"country": "DE"}}
    state.messages.pop(session["id"], None)
    state.record("checkout.session.completed", session)


def _intent(state: State, session: Json) -> Json:
    """The payment intent. Stripe makes it when the customer first tries to pay."""
    if session["payment_intent"] is not None:
        return state.objects["payment_intent"][session["payment_intent"]]
    asked = state.payment_data[session["id"]]
    intent = state.store(
        {
            "id": new_id("pi_3"),
            "object": "payment_intent",
            "amount": session["amount_total"],
            "amount_received": 0,
            "canceled_at": None,
            "cancellation_reason": None,
            "created": state.now,
            "currency": session["currency"],
            "description": asked.get("description"),
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": session["livemode"],
            "metadata": asked.get("metadata", {}),
            "payment_method_types": session["payment_method_types"],
            "receipt_email": asked.get("receipt_email"),
            "statement_descriptor": asked.get("statement_descriptor"),
            "statement_descriptor_suffix": asked.get("statement_descriptor_suffix"),
            "status": "requires_payment_method",
        }
    )
    session["payment_intent"] = intent["id"]
    return intent


def _charge(state: State, intent: Json, method: Json, status: str) -> Json:
    is_paid = status == "succeeded"
    charge = state.store(
        {
            "id": new_id("ch_3"),
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": intent["amount"] if is_paid else 0,
            "amount_refunded": 0,
            "billing_details": {"address": {"country": "DE"}, "name": "Buyer"},
            "calculated_statement_descriptor": _statement(state, intent, method),
            "captured": status != "failed",
            "created": state.now,
            "currency": intent["currency"],
            "description": intent["description"],
            "disputed": False,
            "failure_code": None,
            "failure_message": None,
            "livemode": intent["livemode"],
            "metadata": dict(intent["metadata"]),
            "paid": is_paid,
            "payment_intent": intent["id"],
            "payment_method_details": method,
            "refunded": False,
            "statement_descriptor": intent["statement_descriptor"],
            "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
            "status": status,
        }
    )
    intent["latest_charge"] = charge["id"]
    return charge


def _statement(state: State, intent: Json, method: Json) -> str:
    """What the customer's statement shows. Cards take a suffix to the account's own name only."""
    if method["type"] != "card":
        return str(intent["statement_descriptor"] or state.statement_name)
    suffix = intent["statement_descriptor_suffix"]
    return f"{state.statement_name}* {suffix}"[:22] if suffix else state.statement_name
