"""Every limit of accounts, in numbers. docs/security.md lists them for operators (STANDARDS B7).

How many emails one address gets stands beside each kind of email, in ``app.accounts.email_kinds``.
"""

from datetime import timedelta

from app.web.limits import Limit

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

# For each network: an IPv4 address, or the /64 of an IPv6 address.
SIGN_INS = Limit("sign-in", 30, MINUTE)
SIGN_UPS = Limit("sign-up", 20, HOUR)
RESET_REQUESTS = Limit("reset request", 20, HOUR)
EMAIL_CHANGES = Limit("email change", 20, HOUR)
TOKEN_PAGES = Limit("token page", 60, MINUTE)

FAILURES_OF_ADDRESS = Limit("failures of address", 10, 15 * MINUTE, then=MINUTE)
"""Wrong passwords for one address, from browsers that were never signed in to it."""
FAILURES_OF_KNOWN_BROWSER = Limit("failures of known browser", 10, 15 * MINUTE, then=MINUTE)
"""Wrong passwords for one address, from one browser that was signed in to it before. Strangers
cannot use this count up, so they cannot lock the owner out.
"""
FAILURES_OF_ALL = Limit("failures of all", 1_000, 5 * MINUTE)
"""Wrong passwords for all addresses together, from browsers that are not known."""

EMAIL_CHANGES_OF_ACCOUNT = Limit("email changes of account", 10, HOUR)
"""Requests to change the address of one account. Its owner learns of each by email, and
``EMAIL_CHANGED`` in ``app.accounts.email_kinds`` allows more, so that no owner misses one.
"""

CODES = Limit("codes", 5, 15 * MINUTE)
"""Codes of the second factor, for each account."""

SEND_AGAIN = Limit("send again", 3, 10 * MINUTE)
"""Presses of "Send the email again", for each page and browser."""

TRY_AGAIN = Limit("try address again", 1, 24 * HOUR)
"""Presses of "Try again" when emails do not reach the address of an account."""
