"""Checkout Sessions: made, shown and ended through the API."""

from typing import Any

from tests.support.stripe.errors import invalid, refused
from tests.support.stripe.money import LEAST, MOST, check_total
from tests.support.stripe.parameters import EMAIL, METADATA, URL, at_most, check, need
from tests.support.stripe.state import Json, State, new_id

_LOCALES = (
    "auto bg cs da de el en en-GB es es-419 et fi fil fr fr-CA hr hu id it ja ko lt lv ms mt nb nl"
    " pl pt pt-BR ro ru sk sl sv th tr vi zh zh-HK zh-TW"
)
SCHEMA: Json = {
    "mode": ("payment", "setup", "subscription"),
    "line_items": [
        {
            "quantity": int,
            "metadata": METADATA,
            "price_data": {
                "currency": tuple(LEAST),
                "unit_amount": int,
                "tax_behavior": ("exclusive", "inclusive", "unspecified"),
                "product_data": {
                    "name": str,
                    "description": str,
                    "images": [URL],
                    "metadata": METADATA,
                    "tax_code": str,
                    "unit_label": str,
                },
            },
        }
    ],
    "client_reference_id": str,
    "metadata": METADATA,
    "payment_intent_data": {
        "capture_method": ("automatic", "automatic_async", "manual"),
        "description": str,
        "metadata": METADATA,
        "receipt_email": EMAIL,
        "setup_future_usage": ("off_session", "on_session"),
        "statement_descriptor": str,
        "statement_descriptor_suffix": str,
    },
    "payment_method_types": [str],
    "excluded_payment_method_types": [str],
    "payment_method_configuration": str,
    "customer": str,
    "customer_creation": ("always", "if_required"),
    "customer_email": EMAIL,
    "locale": tuple(_LOCALES.split()),
    "expires_at": int,
    "success_url": URL,
    "cancel_url": URL,
    "adaptive_pricing": {"enabled": bool},
    "automatic_tax": {"enabled": bool},
    "allow_promotion_codes": bool,
    "after_expiration": {"recovery": {"enabled": bool, "allow_promotion_codes": bool}},
    "billing_address_collection": ("auto", "required"),
    "consent_collection": {
        "terms_of_service": ("none", "required"),
        "promotions": ("auto", "none"),
    },
    "currency": tuple(LEAST),
    "custom_text": {
        "submit": {"message": str},
        "after_submit": {"message": str},
        "terms_of_service_acceptance": {"message": str},
    },
    "invoice_creation": {"enabled": bool},
    "phone_number_collection": {"enabled": bool},
    "submit_type": ("auto", "book", "donate", "pay", "subscribe"),
    "tax_id_collection": {"enabled": bool},
    "ui_mode": ("hosted_page", "embedded_page", "elements", "form"),
    "expand": [str],
}
"""The parameters that a shop with a hosted page may use. Stripe has more of them."""
HALF_HOUR, DAY = 1800, 86400


def create(state: State, params: Json, livemode: bool) -> Json:
    """POST /v1/checkout/sessions. Raises ``ApiError``."""
    _in_lower_case(params)
    asked = check(params, SCHEMA)
    if asked.get("mode") != "payment":
        raise invalid("The fake knows no other mode than payment.", "mode")
    for name in ("line_items", "success_url"):
        need(asked, name)
    for index in range(len(asked["line_items"])):
        for name in ("currency", "unit_amount", "product_data][name"):
            need(asked, f"line_items[{index}][price_data][{name}]")
    currency, items = _line_items(asked["line_items"])
    total = sum(item["amount_total"] for item in items)
    check_total(total, currency)
    expires_at = asked.get("expires_at", state.now + DAY)
    _check_expiry(expires_at, state.now)
    at_most(asked.get("client_reference_id"), 200, "client_reference_id")
    at_most(asked.get("customer_email"), 800, "customer_email")
    data = asked.get("payment_intent_data", {})
    _check_statement(data.get("statement_descriptor"))
    id = new_id("cs_live_a1" if livemode else "cs_test_a1", 56)
    state.line_items[id] = items
    state.payment_data[id] = data
    return state.store(_session(state, id, asked, currency, total, expires_at, livemode))


def expire(state: State, id: str, livemode: bool) -> Json:
    """POST /v1/checkout/sessions/{id}/expire. Raises ``ApiError`` if it is not open."""
    session = state.find("checkout.session", id, livemode, "session")
    if session["status"] != "open":
        raise refused(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session'
            f" has a status of `{session['status']}`."
        )
    end(state, session)
    return session


def end(state: State, session: Json) -> None:
    """The session expires, and with it the payment that was tried in it."""
    session |= {"status": "expired", "url": None}
    if session["payment_intent"] is not None:
        intent = state.objects["payment_intent"][session["payment_intent"]]
        intent |= {"status": "canceled", "canceled_at": state.now}
        intent["cancellation_reason"] = "automatic"
    state.record("checkout.session.expired", session)


def end_what_is_over(state: State) -> None:
    """Expire every open session whose time is over."""
    for session in state.objects["checkout.session"].values():
        if session["status"] == "open" and session["expires_at"] <= state.now:
            end(state, session)


def _in_lower_case(params: Json) -> None:
    """Stripe takes ``EUR`` for ``eur``."""
    items = params.get("line_items")
    for item in items if isinstance(items, list) else []:
        price = item.get("price_data") if isinstance(item, dict) else None
        if isinstance(price, dict) and isinstance(price.get("currency"), str):
            price["currency"] = price["currency"].lower()


def _line_items(asked: list[Json]) -> tuple[str, list[Json]]:
    if len(asked) > 100:
        raise invalid("You can only specify up to 100 line items.", "line_items")
    currency = asked[0]["price_data"]["currency"]
    return currency, [
        _line_item(item, f"line_items[{index}]", currency) for index, item in enumerate(asked)
    ]


def _line_item(item: Json, at: str, currency: str) -> Json:
    price = item["price_data"]
    if price["currency"] != currency:
        raise invalid("All prices on a Checkout Session must use the same currency.", "line_items")
    quantity, amount = item.get("quantity", 1), price["unit_amount"]
    for value, least, name in (
        (quantity, 1, "quantity"),
        (amount, 0, "price_data][unit_amount"),
    ):
        if value < least:
            message = f"This value must be greater than or equal to {least}."
            raise invalid(message, f"{at}[{name}]", "parameter_invalid_integer")
    if amount > MOST:
        raise invalid("Amount must be no more than 99999999", f"{at}[price_data][unit_amount]")
    return {
        "id": new_id("li_1"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": amount * quantity,
        "amount_tax": 0,
        "amount_total": amount * quantity,
        "currency": price["currency"],
        "description": price["product_data"]["name"],
        "price": {
            "id": new_id("price_1"),
            "object": "price",
            "currency": price["currency"],
            "unit_amount": amount,
        },
        "quantity": quantity,
    }


def _check_expiry(expires_at: int, now: int) -> None:
    start = "The `expires_at` timestamp must be"
    if expires_at < now + HALF_HOUR:
        message = f"{start} at least 30 minutes from Checkout Session creation."
        raise invalid(message, "expires_at")
    if expires_at > now + DAY:
        message = f"{start} less than 24 hours from Checkout Session creation."
        raise invalid(message, "expires_at")


def _check_statement(name: str | None) -> None:
    if name is None:
        return
    is_right = 5 <= len(name) <= 22 and not set(name) & set("<>\\'\"*") and not name.isdecimal()
    if not is_right:
        message = "The statement descriptor must be 5 to 22 characters without <>\\'\"*."
        raise invalid(message, "payment_intent_data[statement_descriptor]")


def _session(
    state: State,
    id: str,
    asked: Json,
    currency: str,
    total: int,
    expires_at: int,
    livemode: bool,
) -> Json:
    email: Any = asked.get("customer_email")
    # Stripe's addresses are that long, and what is behind # belongs to them.
    fragment = "fid" + "k" * 300
    return {
        "id": id,
        "object": "checkout.session",
        "adaptive_pricing": asked.get("adaptive_pricing", {"enabled": True}),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": asked.get("automatic_tax", {"enabled": False}) | {"status": None},
        "cancel_url": asked.get("cancel_url"),
        "client_reference_id": asked.get("client_reference_id"),
        "created": state.now,
        "currency": currency,
        "customer": None,
        "customer_details": {"email": email, "name": None} if email else None,
        "customer_email": email,
        "expires_at": expires_at,
        "livemode": livemode,
        "locale": asked.get("locale"),
        "metadata": asked.get("metadata", {}),
        "mode": "payment",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_types": asked.get("payment_method_types", ["card", "sepa_debit"]),
        "payment_status": "unpaid" if total else "no_payment_required",
        "status": "open",
        "submit_type": asked.get("submit_type"),
        "success_url": asked["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"{state.url}/c/pay/{id}#{fragment}",
    }
