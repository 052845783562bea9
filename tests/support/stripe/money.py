"""What Stripe takes: the least and the most of each currency, and how its errors write amounts."""

from tests.support.stripe.errors import invalid, refused

LEAST = {"eur": 50, "usd": 50, "chf": 50, "gbp": 30, "jpy": 50}
MOST = 99_999_999
_SIGNS = {"eur": "€", "usd": "$", "chf": "CHF", "gbp": "£", "jpy": "¥"}


def written(amount: int, currency: str) -> str:
    """``€12.00``, ``¥1,200``."""
    number = f"{amount:,}" if currency == "jpy" else f"{amount / 100:,.2f}"
    return _SIGNS[currency] + number


def check_total(amount: int, currency: str) -> None:
    """Raises ``ApiError`` 400 for a total that Stripe does not take. A total of 0 costs nothing."""
    start = "The Checkout Session's total amount due must"
    if 0 < amount < LEAST[currency]:
        least = f"{written(LEAST[currency], currency)} {currency}"
        raise invalid(f"{start} add up to at least {least}", code="amount_too_small")
    if amount > MOST:
        raise invalid(
            f"{start} be no more than {written(MOST, currency)}.", code="amount_too_large"
        )


def check_refund(amount: int, left: int, currency: str, charge: str) -> None:
    """Raises ``ApiError`` 400 for more than is left of a charge."""
    if left <= 0:
        message = f"Charge {charge} has already been refunded."
        raise refused(message, "charge_already_refunded")
    if amount > left:
        asked, rest = written(amount, currency), written(left, currency)
        # Stripe gives this error no code.
        message = f"Refund amount ({asked}) is greater than unrefunded amount on charge ({rest})"
        raise refused(message, param="amount")
