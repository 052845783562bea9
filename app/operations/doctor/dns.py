"""What DNS says about who may send for the From domain: SPF, DKIM and DMARC."""

import re
from collections.abc import Iterator

from dns.exception import DNSException
from dns.resolver import NXDOMAIN, NoAnswer, Resolver
from pyramid.registry import Registry

from app.operations.doctor.findings import Finding, ok, warning
from app.operations.doctor.names import domain_of

SECONDS = 5.0
_RESERVED = re.compile(r"(.*\.)?(test|example|invalid|localhost|local|example\.(com|net|org))")
_SELECTORS = (
    # What services and programs call their key unless told otherwise.
    *("default", "dkim", "mail", "email", "smtp", "google", "selector1", "selector2", "s1", "s2"),
    *("k1", "k2", "k3", "pm", "mg", "mailo", "pic", "krs", "brevo1", "brevo2", "sendgrid", "mx"),
    *("amazonses", "ses", "20230601", "key1", "fm1", "zoho", "protonmail"),
)


def check(registry: Registry, resolver: Resolver | None = None) -> Iterator[Finding]:
    """Yield the findings. Domains that are reserved for tests (RFC 2606, RFC 6762) are not looked
    up.
    """
    settings = registry.pillarbox.email
    sender = domain_of(settings.sender.address)
    return_path = domain_of(settings.return_path)
    if _RESERVED.fullmatch(sender):
        yield ok(f"{sender} is reserved for tests, so there is nothing to look up")
        return
    try:
        resolver = resolver or Resolver()
        resolver.lifetime = SECONDS
        yield _spf(resolver, return_path)
        yield _dkim(resolver, sender)
        yield _dmarc(resolver, sender)
    except DNSException as error:
        yield warning(
            f"DNS does not answer here: {type(error).__name__}",
            "Run the doctor where DNS can be reached to check SPF, DKIM and DMARC.",
        )


def _spf(resolver: Resolver, domain: str) -> Finding:
    records = [text for text in _texts(resolver, domain) if text.lower().startswith("v=spf1")]
    if len(records) == 1:
        return ok(f"SPF of {domain}: {records[0]}")
    if records:
        return warning(
            f"{domain} has {len(records)} SPF records, so none of them counts (RFC 7208 4.5)",
            "Join them into one TXT record.",
        )
    return warning(
        f"{domain} has no SPF record",
        "Add the TXT record that your relay documents, such as v=spf1 include:RELAY -all.",
    )


def _dkim(resolver: Resolver, domain: str) -> Finding:
    for selector in _SELECTORS:
        name = f"{selector}._domainkey.{domain}"
        if any("p=" in text for text in _texts(resolver, name)):
            return ok(f"DKIM key found: {name}")
    return warning(
        f"no DKIM key of {domain} under the usual names",
        "The relay signs emails, and tells the name of its key: compare it with DNS. If the relay"
        " does not sign for your domain, large providers file your emails as spam.",
    )


def _dmarc(resolver: Resolver, domain: str) -> Finding:
    labels = domain.split(".")
    # Without a record of its own, a domain takes the one of the domain above (RFC 7489 6.6.3).
    for start in range(len(labels) - 1):
        name = "_dmarc." + ".".join(labels[start:])
        for text in _texts(resolver, name):
            if text.lower().startswith("v=dmarc1"):
                return ok(f"DMARC of {name.removeprefix('_dmarc.')}: {text}")
    return warning(
        f"{domain} has no DMARC record",
        f"Add a TXT record _dmarc.{domain}, to begin with v=DMARC1; p=none. Gmail and Yahoo ask for"
        " one from everybody who sends a lot.",
    )


def _texts(resolver: Resolver, name: str) -> list[str]:
    try:
        answer = resolver.resolve(name, "TXT")
    except (NXDOMAIN, NoAnswer):
        return []
    return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
