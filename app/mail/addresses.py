"""Mail addresses as headers and SMTP need them: checked for control characters, with the domain in
its ASCII form.
"""

import re

import idna

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST = 320


class BadAddress(ValueError):
    """An address or a name that cannot stand in a message. Its text names the fault, never the
    address.
    """


def ascii_domain(address: str) -> str:
    """``address`` with its domain as A-labels (RFC 5890); raises ``BadAddress`` when it is no mail
    address.

    The local part stays as it is: a non-ASCII one is for relays that offer SMTPUTF8 (RFC 6531).
    """
    check_text(address, "the address")
    local, at, domain = address.rpartition("@")
    if (
        not (local and at and domain)
        or len(address) > _LONGEST
        or re.search(r'[\s<>(),;:"\\@]', local)
    ):
        raise BadAddress("the address is not of the form name@domain")
    if domain.isascii():
        if not re.fullmatch(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", domain):
            raise BadAddress("the address has a domain that cannot be")
        return f"{local}@{domain.lower()}"
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError as error:
        raise BadAddress(
            f"the address has a domain that cannot be encoded: {type(error).__name__}"
        ) from error


def check_text(text: str, what: str) -> None:
    """Raise ``BadAddress`` when ``text`` must not come near a header.

    Control characters could end the header; a literal ``=?`` in a name would be decoded by readers
    (CVE-2024-6923).
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
    """``Name <address>`` in Unicode, checked; the way a row of the outbox keeps its sender. Raises
    ``BadAddress``.
    """
    check_text(name, "the name")
    address = ascii_domain(address)
    return f"{name} <{address}>" if name else address


def key_of(address: str) -> str:
    """One spelling for all that differ in case only: they are one mailbox nearly everywhere, and a
    limit must not be passed by writing one address in many ways. Cut where no address goes on.
    """
    return address.lower()[:_LONGEST]


def matches(address: str, patterns: tuple[str, ...]) -> bool:
    """Whether ``address`` is one of ``patterns``: whole addresses, or ``*@domain`` for all of a
    domain. Case is ignored.
    """
    address = key_of(address)
    domain = "*@" + address.rpartition("@")[2]
    return any(pattern.lower() in (address, domain) for pattern in patterns)
