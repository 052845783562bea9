"""Email addresses as customers write them, and as two of them are compared (STANDARDS B6)."""

import re
import unicodedata
from dataclasses import dataclass

from email_validator import EmailNotValidError, validate_email

MAX_LENGTH = 320
_UPPER = re.compile("[A-Z]+")


class UnusableAddress(ValueError):
    """The text is no address that email can reach."""


@dataclass(frozen=True, slots=True)
class Address:
    """An address that can be written to, and its key: two addresses of one key are the same."""

    stored: str
    key: str


def parse_address(text: str) -> Address:
    """Read what somebody typed; raises ``UnusableAddress``.

    Only the domain, and A to Z in the local part, are folded: what else a mail server takes for the
    same is its own affair.
    """
    text = text.strip()
    # Mail programs would decode what "=?" opens, so no email could go there (CVE-2024-6923).
    if len(text) > MAX_LENGTH or "=?" in text:
        raise UnusableAddress
    try:
        valid = validate_email(
            unicodedata.normalize("NFC", text),
            check_deliverability=False,
            strict=True,
            # Lets names under .test pass, which RFC 6761 keeps for trying things out.
            test_environment=True,
        )
    except EmailNotValidError as error:
        raise UnusableAddress from error
    domain = (valid.ascii_domain or valid.domain).lower()
    local_part = valid.local_part
    folded = _UPPER.sub(lambda letters: letters.group().lower(), local_part)
    return Address(stored=f"{local_part}@{domain}", key=f"{folded}@{domain}")
