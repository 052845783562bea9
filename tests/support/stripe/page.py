"""The hosted page, which needs no JavaScript."""

from collections.abc import Callable
from html import escape

from tests.support.stripe import paying
from tests.support.stripe.money import written
from tests.support.stripe.sessions import end_what_is_over
from tests.support.stripe.state import Json, State

PATH = "/c/pay/"
_OVER = {
    "complete": "You have paid, and there is nothing more to do on this page.",
    "expired": "This page has expired. Go back to the shop to pay.",
}
_BUTTONS = (
    ("pay", "Pay with card"),
    ("pay_later", "Pay with SEPA Direct Debit"),
    ("decline", "Pay with a card that is declined"),
)
_ACTS: dict[str, Callable[[State, str], Json]] = {
    "pay": paying.pay,
    "pay_later": paying.pay_later,
    "decline": paying.decline,
}


def show(state: State, id: str) -> tuple[int, str]:
    """The status and the HTML of a session's page."""
    end_what_is_over(state)
    session = state.objects["checkout.session"].get(id)
    if session is None:
        return 404, _page(
            "Something went wrong", "<p>The page you were looking for is not here.</p>"
        )
    if session["status"] != "open":
        return 200, _page("Checkout", f"<p role=status>{_OVER[session['status']]}</p>")
    return 200, _page("Checkout", _basket(state, session) + _form(state, session))


def press(state: State, id: str, button: str) -> str:
    """What a button does. Returns where the browser goes then: on to the shop, or back here."""
    if id not in state.objects["checkout.session"] or button not in _ACTS:
        return PATH + id
    try:
        _ACTS[button](state, id)
    except paying.NotPayable:
        return PATH + id
    if button == "decline":
        return PATH + id
    url: str = state.objects["checkout.session"][id]["success_url"]
    return url.replace("{CHECKOUT_SESSION_ID}", id)


def _basket(state: State, session: Json) -> str:
    currency = session["currency"]
    rows = "".join(
        f"<tr><td>{item['quantity']} × {escape(item['description'])}</td>"
        f"<td>{escape(written(item['amount_total'], currency))}</td></tr>"
        for item in state.line_items[session["id"]]
    )
    total = escape(written(session["amount_total"], currency))
    return f"<table>{rows}<tr><th>Total</th><th>{total}</th></tr></table>"


def _form(state: State, session: Json) -> str:
    message = state.messages.get(session["id"])
    told = f"<p role=alert>{escape(message)}</p>" if message else ""
    email = f"<p>{escape(session['customer_email'])}</p>" if session["customer_email"] else ""
    buttons = "".join(
        f"<button name=button value={name}>{text}</button>" for name, text in _BUTTONS
    )
    back = ""
    if session["cancel_url"]:
        back = f'<p><a href="{escape(session["cancel_url"])}">Back</a></p>'
    return f"{told}{email}<form method=post action={PATH}{session['id']}>{buttons}</form>{back}"


def _page(title: str, body: str) -> str:
    return (
        "<!doctype html><html lang=en><head><meta charset=utf-8>"
        '<meta name=viewport content="width=device-width">'
        f'<title>{title}</title><link rel=icon href="data:,"></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )
