"""The currencies that a shop can have, and the amounts that can be paid in each."""

LEAST_CHARGE = {"EUR": 50, "USD": 50, "GBP": 30, "CHF": 50, "JPY": 50}
"""The currencies, with the smallest amount that Stripe charges in minor units."""
MOST_CHARGE = 99_999_999
"""The largest amount that Stripe charges: eight digits of minor units."""


def can_be_charged(amount: int, currency: str) -> bool:
    """Whether an order of ``amount`` minor units can be paid. An order of 0 needs no payment."""
    return amount == 0 or LEAST_CHARGE[currency] <= amount <= MOST_CHARGE
