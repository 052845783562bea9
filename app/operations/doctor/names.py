"""Whether From, the return path and the links are of one domain, as spam filters like it."""

from collections.abc import Iterator
from urllib.parse import urlsplit

from pyramid.registry import Registry

from app.operations.doctor.findings import Finding, ok, problem, warning
from app.settings.hosts import is_loopback


def check(registry: Registry) -> Iterator[Finding]:
    """Yield the findings."""
    settings = registry.pillarbox
    sender = domain_of(settings.email.sender.address)
    host = urlsplit(settings.site.base_url).hostname or ""
    if is_loopback(host) and settings.is_production:
        yield problem(
            f"links lead to {host}, which is each reader's own machine",
            "Set site.base_url to the address that customers open.",
        )
    elif is_loopback(host) or related(sender, host):
        yield ok(f"From is of {sender}, and links lead to {host}")
    else:
        yield warning(
            f"From is of {sender}, but links lead to {host}",
            "Send from an address of the site's domain, or expect some filters to doubt the links.",
        )
    return_path = domain_of(settings.email.return_path)
    if related(sender, return_path):
        yield ok(f"the return path is of {return_path}")
    else:
        yield warning(
            f"From is of {sender}, but the return path is of {return_path}",
            "Then SPF does not count for DMARC, and only DKIM does. Use an address of the From"
            " domain or one below it in email.return_path.",
        )


def domain_of(address: str) -> str:
    """The domain of an address, in lower case."""
    return address.rpartition("@")[2].lower()


def related(one: str, other: str) -> bool:
    """Whether one domain is the other or lies below it, or whether both lie below one domain of two
    labels or more, such as ``mail.shop.example`` and ``www.shop.example``.
    """
    ones, others = one.split(".")[::-1], other.split(".")[::-1]
    common = 0
    for a, b in zip(ones, others, strict=False):
        if a != b:
            break
        common += 1
    return common >= 2 or ones == others
