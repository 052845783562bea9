"""Refuses requests for hosts that this site does not answer to (STANDARDS B11), and makes every
other request one for ``site.base_url``.

An attacker's page can rebind the name of its host to this machine. The browser then lets the page
read our answers, but it still sends the attacker's name as the Host.
"""

import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest
from pyramid.registry import Registry
from pyramid.request import Request
from pyramid.response import Response
from pyramid.tweens import EXCVIEW
from waitress.proxy_headers import (
    PROXY_HEADERS,
    MalformedProxyHeader,
    clear_untrusted_headers,
    parse_proxy_headers,
)

from app.database.owner import THIS_MACHINE, site_of
from app.web.proxies import is_from_trusted_proxy

log = logging.getLogger(__name__)

FOR_SUPERVISORS = {"/healthz", "/readyz", "/metrics"}
"""Load balancers and Prometheus ask for these by an IP address. The answers tell nothing about a
customer.
"""
_ONLY_DIRECT = "/metrics"
_IS_DIRECT = "pillarbox.is_direct"
_BY_A_PROXY = frozenset(f"HTTP_{header}" for header in (*PROXY_HEADERS, "VIA"))
TRUSTED_HEADERS = {"x-forwarded-for", "x-forwarded-host"}
_URL = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
_HOST = re.compile(r"([a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")

Handler = Callable[[Request], Response]


class UnknownHost(HTTPBadRequest):
    """The request's Host is neither of ``site.base_url`` nor of ``site.hosts``."""


def hosts_tween(handler: Handler, registry: Registry) -> Handler:
    """Take client address and host from a trusted proxy, refuse unknown hosts, and let redirects
    and links start with ``site.base_url``.
    """
    settings = registry.pillarbox
    base = urlsplit(settings.site.base_url)
    hosts = {base.hostname, *settings.site.hosts}

    def tween(request: Request) -> Response:
        environ = request.environ
        by_proxy = is_from_trusted_proxy(request)
        if by_proxy:
            try:
                parse_proxy_headers(environ, 1, TRUSTED_HEADERS)
            except MalformedProxyHeader as error:
                raise HTTPBadRequest() from error
        elif environ.get("PATH_INFO") == _ONLY_DIRECT:
            environ[_IS_DIRECT] = comes_from_this_machine(environ)
        # WebOb takes the client's address from such a header, whoever sent it.
        clear_untrusted_headers(environ, tuple(PROXY_HEADERS))
        host = _host_of(environ)
        environ["HTTP_HOST"], environ["wsgi.url_scheme"] = base.netloc, base.scheme
        name = _name_of(host)
        # A browser that was tricked sends the attacker's name, so the name of this machine itself
        # is safe: in development, and from a proxy that sends the address of its upstream.
        loopback_is_known = by_proxy or not settings.is_production
        if not (
            name in hosts
            or (loopback_is_known and _is_this_machine(host))
            or environ.get("PATH_INFO") in FOR_SUPERVISORS
        ):
            log.info(
                "request refused, Host neither in site.base_url nor in site.hosts: host=%r",
                # Without white space, so that no part of it looks like another field of the line.
                re.sub(r"\s", "_", host[:80]),
            )
            raise UnknownHost()
        return handler(request)

    return tween


def is_direct(request: Request) -> bool:
    """Whether ``comes_from_this_machine`` holds for a request for ``/metrics``. False for what a
    trusted proxy sent, even if no header shows it.
    """
    return bool(request.environ.get(_IS_DIRECT, False))


def comes_from_this_machine(environ: Mapping[str, Any]) -> bool:
    """Whether a program on this machine made the request, to a name such as 127.0.0.1, and no
    header shows a proxy. ``environ`` is as the server made it.
    """
    return (
        _BY_A_PROXY.isdisjoint(environ)
        and _is_loopback(environ.get("REMOTE_ADDR", ""))
        and _is_this_machine(_host_of(environ))
    )


def _is_this_machine(host: str) -> bool:
    try:
        return _name_of(host) is not None and site_of(f"//{host}") == THIS_MACHINE
    except ValueError:
        # No IP address stands between the brackets.
        return False


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback


def _host_of(environ: Mapping[str, Any]) -> str:
    """The host that the client asked, in lower case, with its port."""
    # A whole URL as the target replaces the Host (RFC 9112 3.2.2).
    target = _URL.match(environ.get("REQUEST_URI", ""))
    host: str = target[1] if target else environ.get("HTTP_HOST", "")
    return host.lower()


def _name_of(host: str) -> str | None:
    """The name in a Host header, None when there is none. The port says nothing, because many
    proxies leave it out.
    """
    found = _HOST.fullmatch(host)
    return found and found[1].strip("[]")


def includeme(config: Configurator) -> None:
    """Add the tween below the one that turns exceptions into error pages."""
    config.add_tween("app.web.hosts.hosts_tween", under=EXCVIEW)
