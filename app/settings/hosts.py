"""The parsers of settings that name hosts: names, IP addresses and URLs. `app.settings.values` says
what a parser raises.
"""

import ipaddress
import re
from urllib.parse import urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOST_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_LABEL = re.compile("[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")


def host(value: str) -> str:
    """A host name or an IP address, without scheme and port."""
    if len(value) > 253 or not all(map(_HOST_LABEL.fullmatch, value.split("."))):
        try:
            ipaddress.ip_address(value)
        except ValueError:
            raise ValueError(
                "is not a host name (without scheme and port, international ones as xn--...)"
            ) from None
    return value.lower()


def is_domain(name: str) -> bool:
    """Whether strict relays accept `name` in EHLO: labels of letters, digits and hyphens, with no
    dot outside them, and the last one not a number (RFC 5321 4.1.2, RFC 1123 2.1).
    """
    labels = name.split(".")
    return len(name) <= 253 and all(map(_LABEL.fullmatch, labels)) and not labels[-1].isdigit()


def address_literal(address: str) -> str:
    """An IP address as EHLO names it: `[192.0.2.1]`, `[IPv6:2001:db8::1]` (RFC 5321 4.1.3)."""
    ip = ipaddress.ip_address(address.partition("%")[0])  # without the scope of a local IPv6 one
    return f"[IPv6:{ip}]" if ip.version == 6 else f"[{ip}]"


def hello(value: str) -> str:
    """What this machine calls itself in EHLO: a domain name or an address literal."""
    try:
        if is_domain(value):
            return value
        literal = address_literal(value.strip("[]").removeprefix("IPv6:"))
        if value.lower() == literal.lower():
            return literal
    except ValueError:
        pass
    raise ValueError(
        "is neither a domain name such as shop.example.org (international ones as xn--...)"
        " nor an address such as [192.0.2.1]"
    )


def hosts(value: str) -> tuple[str, ...]:
    """Host names, separated by white space or commas."""
    return tuple(map(host, entries(value)))


def networks(value: str) -> tuple[Network, ...]:
    """IP addresses and networks such as 10.0.0.0/8, separated by white space or commas."""
    try:
        return tuple(map(ipaddress.ip_network, entries(value)))
    except ValueError:
        raise ValueError("is not a list of IP addresses and networks such as 10.0.0.0/8") from None


def entries(value: str) -> list[str]:
    """The parts of a list whose separators are white space or commas."""
    return re.split(r"[\s,]+", value.strip(" \t\r\n,"))


def is_loopback(name: str) -> bool:
    """Whether the host `name` is this machine itself. Asks no name server."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def base_url(value: str) -> str:
    """`https://host` or `http://host:port`: what every link starts with. No path."""
    try:
        url = urlsplit(value)
        port = url.port
        name = host(url.hostname or "")
    except ValueError:
        port, name = None, ""
    bare = (url.path in ("", "/")) and not (url.query or url.fragment or "@" in url.netloc)
    if url.scheme not in ("http", "https") or not name or not bare:
        raise ValueError("is not of the form https://shop.example.org (no path, no user name)")
    name = f"[{name}]" if ":" in name else name
    return f"{url.scheme}://{name}" + (f":{port}" if port else "")


def https_url(value: str) -> str:
    """An `https://` URL with a path. It holds no user name and no fragment."""
    try:
        url = urlsplit(value)
        is_good = url.port != 0 and bool(host(url.hostname or ""))
    except ValueError:
        is_good = False
    if (
        not (is_good and re.fullmatch("https://[!-~]+", value, re.IGNORECASE))
        or "@" in url.netloc
        or "#" in value
    ):
        raise ValueError("is not of the form https://login.example.org/token")
    return value


def loopback_url(value: str) -> str:
    """`http://127.0.0.1:port`: a server of this machine. No path."""
    if not value.startswith("http://") or not is_loopback(urlsplit(base_url(value)).hostname or ""):
        raise ValueError("is not of the form http://127.0.0.1:8080, a server of this machine")
    return base_url(value)
