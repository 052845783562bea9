"""Parse the email addresses that customers type, and decide which are the same (STANDARDS B6)."""

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

MAX_OCTETS = 254
"""RFC 5321 4.5.3.1.3 allows a path of 256 octets, with the angle brackets around the address."""
_UPPER = re.compile("[A-Z]+")


class UnusableAddress(ValueError):
    """The text is not an address that email can be sent to."""


@dataclass(frozen=True, slots=True)
class Address:
    """An email address. Two addresses with the same ``key`` are the same address.

    ``stored`` is what the customer typed, with the domain in lower-case A-labels (IDNA).
    """

    stored: str
    key: str


def parse_address(text: str) -> Address:
    """Parse what somebody typed; raises ``UnusableAddress``.

    The key folds the case of the domain and of A to Z in the local part, and nothing else, because
    only the receiving server knows which other local parts are the same mailbox.
    """
    text = text.strip()
    # "=?" opens an encoded word, which a mail program would decode (CVE-2024-6923).
    if len(text) > MAX_OCTETS or "=?" in text:
        raise UnusableAddress
    try:
        valid = validate_email(
            unicodedata.normalize("NFC", text),
            check_deliverability=False,
            strict=True,
            # Accept domains under .test, which RFC 6761 reserves for tests.
            test_environment=True,
        )
    except EmailNotValidError as error:
        raise UnusableAddress from error
    domain = (valid.ascii_domain or valid.domain).lower()
    local_part = valid.local_part
    if len(f"{local_part}@{domain}".encode()) > MAX_OCTETS:
        raise UnusableAddress
    folded = _UPPER.sub(lambda letters: letters.group().lower(), local_part)
    return Address(stored=f"{local_part}@{domain}", key=f"{folded}@{domain}")
