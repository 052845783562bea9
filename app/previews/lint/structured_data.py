"""A14: a purchase as structured data for mail programs (schema.org Order, JSON-LD)."""

import json
import re
from collections.abc import Iterator
from typing import Any

from app.previews.lint.parsed_email import Finding, ParsedEmail

REQUIRED_FIELDS = (
    "merchant",
    "orderNumber",
    "priceCurrency",
    "price",
    "acceptedOffer",
    "orderDate",
    "orderStatus",
    "url",
)
_PLACE = "<script> of structured data"


def structured_data(email: ParsedEmail) -> Iterator[Finding]:
    """The email about a purchase has a complete Order that agrees with what the reader sees."""
    if email.html is None:
        return
    scripts = [
        script.text_content()
        for script in email.document.all("script")
        if script.get("type") == "application/ld+json"
    ]
    if email.expected.kind.reports_purchase and not scripts:
        yield Finding(
            "A14", "<head>", "a purchase has no structured data", "Write an Order as JSON-LD"
        )
    for text in scripts:
        try:
            order = json.loads(text)
        except ValueError as error:
            yield Finding("A14", _PLACE, f"is no JSON: {error}", "Write it with the filter tojson")
            continue
        if not isinstance(order, dict) or order.get("@type") != "Order":
            yield Finding("A14", _PLACE, "describes no Order", 'Say "@type": "Order"')
            continue
        yield from _order(email, order)


def _order(email: ParsedEmail, order: dict[str, Any]) -> Iterator[Finding]:
    for name in REQUIRED_FIELDS:
        if order.get(name) in (None, "", [], {}):
            yield Finding("A14", _PLACE, f"lacks {name}", "Take it from the order")
    if not re.fullmatch(r"\d+(\.\d+)?", str(order.get("price", "0"))):
        yield Finding("A14", _PLACE, "its price is no plain decimal", "Write 24.00")
    if not re.fullmatch("[A-Z]{3}", str(order.get("priceCurrency", "EUR"))):
        yield Finding("A14", _PLACE, "its currency is no code", "Write EUR (ISO 4217)")
    if str(order.get("orderNumber", "")) not in email.content.root.text_content():
        yield Finding("A14", _PLACE, "names another order than the email", "Use the same number")
    if not str(order.get("url", "https://")).startswith(("https://", email.expected.site.base_url)):
        yield Finding("A14", _PLACE, "its url is not absolute", "Make it with request.link")
