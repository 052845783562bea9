"""The proxies in front of the server whose word is taken: ``server.trusted_proxies``."""

import ipaddress

from pyramid.request import Request


def is_from_trusted_proxy(request: Request) -> bool:
    """Whether a proxy of ``server.trusted_proxies`` sent the request to us."""
    try:
        peer = ipaddress.ip_address(request.environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    # A server that listens on IPv6 sees 192.0.2.1 as ::ffff:192.0.2.1.
    peer = getattr(peer, "ipv4_mapped", None) or peer
    return any(peer in network for network in request.registry.pillarbox.server.trusted_proxies)
