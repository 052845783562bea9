"""Mail addresses for headers and SMTP: checked for control characters, with the domain in ASCII."""

import re

import idna

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_KEY = 320
_MOST_OCTETS = 254
"""RFC 5321 4.5.3.1.3 allows a path of 256 octets, with the angle brackets around the address."""


class BadAddress(ValueError):
    """An address or a name cannot be written in a message. The error text never contains it."""


def ascii_domain(address: str) -> str:
    """``address`` with its domain as A-labels (RFC 5890). Raises ``BadAddress`` if it is no mail
    address.

    The local part is not changed. If it is not ASCII, the relay must offer SMTPUTF8 (RFC 6531).
    """
    check_text(address, "the address")
    # Looked at before the domain, because encoding a very long one takes long.
    _check_length(address)
    local, at, domain = address.rpartition("@")
    if not (local and at and domain) or re.search(r'[\s<>(),;:"\\@]', local):
        raise BadAddress("the address is not of the form name@domain")
    if domain.isascii():
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", domain):
            raise BadAddress("the address has a domain that cannot be a domain name")
        return f"{local}@{domain.lower()}"
    try:
        encoded = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise BadAddress(
            f"the address has a domain that cannot be encoded: {type(error).__name__}"
        ) from error
    _check_length(f"{local}@{encoded}")
    return f"{local}@{encoded}"


def _check_length(address: str) -> None:
    if len(address.encode()) > _MOST_OCTETS:
        raise BadAddress(f"the address is longer than {_MOST_OCTETS} octets")


def check_text(text: str, what: str) -> None:
    """Raise ``BadAddress``, naming ``what``, if ``text`` must not be written in a header.

    A control character could end the header, and mail programs would decode a literal ``=?`` in a
    name (CVE-2024-6923).
    """
    if _CONTROL.search(text):
        raise BadAddress(f"{what} contains a control character")
    if "=?" in text:
        raise BadAddress(f'{what} contains "=?", which mail programs would decode')
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadAddress(f"{what} contains half a character (a lone surrogate)") from error


def mailbox(name: str, address: str) -> str:
    """``Name <address>`` in Unicode, as the outbox stores a sender. Raises ``BadAddress``."""
    check_text(name, "the name")
    address = ascii_domain(address)
    return f"{name} <{address}>" if name else address


def key_of(address: str) -> str:
    """The address in lower case, cut at the longest length: one key for all its spellings.

    Spellings that differ only in case are one mailbox at nearly every provider. Without a common
    key, many spellings of one address would pass a limit.
    """
    return address.lower()[:_LONGEST_KEY]


def mailbox_key_of(address: str) -> str:
    """The key of the mailbox: ``key_of`` without what follows a plus sign in the local part. Many
    providers deliver ``anna+shop@example.org`` to ``anna@example.org``.
    """
    local, at, domain = key_of(address).rpartition("@")
    return (local.partition("+")[0] or local) + at + domain


def matches(address: str, patterns: tuple[str, ...]) -> bool:
    """Whether ``address`` matches a pattern: a whole address, or ``*@domain`` for every address of
    a domain. Case is ignored.
    """
    address = key_of(address)
    domain = "*@" + address.rpartition("@")[2]
    return any(pattern.lower() in (address, domain) for pattern in patterns)
