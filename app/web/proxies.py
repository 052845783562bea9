"""Who sent a request: a client, or a proxy whose word is taken (``server.trusted_proxies``)."""

import ipaddress

from pyramid.request import Request

from app.settings.hosts import Network


def is_from_trusted_proxy(request: Request) -> bool:
    """Whether a proxy of ``server.trusted_proxies`` sent the request to us."""
    proxies = request.registry.pillarbox.server.trusted_proxies
    return is_trusted(request.environ.get("REMOTE_ADDR", ""), proxies)


def is_trusted(address: str, proxies: tuple[Network, ...]) -> bool:
    """Whether the address is in one of the networks. False for a text that is no IP address."""
    try:
        # waitress calls the peer at a Unix socket "localhost".
        ip = ipaddress.ip_address("127.0.0.1" if address == "localhost" else address)
    except ValueError:
        return False
    # A server that listens on IPv6 sees 192.0.2.1 as ::ffff:192.0.2.1.
    ip = getattr(ip, "ipv4_mapped", None) or ip
    return any(ip in network for network in proxies)


def client_of(address: str) -> str:
    """Who has the address. One client can use all 2**64 addresses of its IPv6 network."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if ip.version == 4:
        return address
    if ip.ipv4_mapped is not None:
        return str(ip.ipv4_mapped)
    return str(ipaddress.ip_network((ip, 64), strict=False).network_address)
