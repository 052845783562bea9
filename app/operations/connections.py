"""Keeps slow and greedy clients from taking the server's connections from everybody else."""

import logging
import resource
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from socket import socket
from typing import Any

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser, ParsingError
from waitress.server import BaseWSGIServer
from waitress.utilities import BadRequest

from app.operations.refusals import Refusal
from app.settings.hosts import Network
from app.web.proxies import client_of, is_trusted

log = logging.getLogger(__name__)

REQUEST_SECONDS = 20
"""How long the head and body of a request may take to arrive, from its first octet."""
MOST_PER_ADDRESS = 200
_MOST_FILES = 65_536
_OTHER_FILES = 256
"""File descriptors that are left to the database, the relay, logs and templates."""
_FILES_PER_CONNECTION = 3
"""waitress keeps a large request and a large response in a file each."""


class RequestTimeout(BadRequest):
    """The request did not arrive in time (RFC 9110 15.5.9)."""

    code = 408
    reason = "Request Timeout"


def connection_limit() -> int:
    """How many connections this process's file descriptors allow. Raises its own limit of them
    first, as far as the system lets it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
        soft = most
    files = _MOST_FILES if soft == resource.RLIM_INFINITY else min(soft, _MOST_FILES)
    return max(100, (files - _OTHER_FILES) // _FILES_PER_CONNECTION)


class Connections:
    """How many connections each client has. The networks of ``proxies`` may have any number, since
    a proxy's connections are those of many clients.

    ``headers`` stand in every response that the server gives without the application.
    """

    def __init__(
        self, limit: int, proxies: tuple[Network, ...], headers: Mapping[str, str]
    ) -> None:
        self.headers = headers
        self.most = min(MOST_PER_ADDRESS, max(1, limit // 4))
        self._proxies = proxies
        self._open: Counter[str] = Counter()

    def bound(self, server: BaseWSGIServer) -> None:
        """Let the server's connections be counted and timed. Call this before it accepts any."""
        server.channel_class = partial(BoundedChannel, self)  # type: ignore[assignment]

    def open(self, address: str) -> bool:
        """Count a connection. False when its client has too many."""
        client = client_of(address)
        self._open[client] += 1
        if self._open[client] <= self.most or is_trusted(address, self._proxies):
            return True
        if self._open[client] == self.most + 1:
            log.warning(
                "client has too many connections, further ones are closed; if it is your proxy,"
                " add it to server.trusted_proxies: most=%d",
                self.most,
            )
        return False

    def close(self, address: str) -> None:
        client = client_of(address)
        self._open[client] -= 1
        if not self._open[client]:
            del self._open[client]


class TargetParser(HTTPRequestParser):
    """Answers 400 to a target that is no URL, such as ``http://[::1``. waitress closes the
    connection and logs a traceback.
    """

    def parse_header(self, header_plus: bytes) -> None:
        try:
            super().parse_header(header_plus)
        except ValueError as error:
            raise ParsingError("Bad URI") from error


class BoundedChannel(HTTPChannel):
    """A connection that ends when a request does not arrive in time, or when its client has too
    many. waitress's own timeout begins again with each octet.
    """

    parser_class = TargetParser
    error_task_class = Refusal

    def __init__(
        self,
        connections: Connections,
        server: BaseWSGIServer,
        sock: socket,
        addr: Any,
        *rest: Any,
        **options: Any,
    ) -> None:
        self.connections = connections
        self._address: str | None = str(addr[0])
        self._waits_since: float | None = time.monotonic()
        """When the request that has not arrived yet began; None while there is none."""
        super().__init__(server, sock, addr, *rest, **options)
        if not connections.open(str(addr[0])):
            self.will_close = True

    def readable(self) -> bool:
        # waitress asks every connection this at least once a second.
        since = self._waits_since
        if since is not None and not self.requests and time.monotonic() - since > REQUEST_SECONDS:
            self._waits_since = None
            self._end()
        return super().readable()

    def _end(self) -> None:
        late = self.request
        if late is None:
            # Nothing has arrived, so a response would answer no question.
            self.will_close = True
            return
        self.request = None
        late.error = RequestTimeout("The request did not arrive in time.")
        # A few octets, so they need not wait for one of the threads that serve pages.
        self.error_task_class(self, late).service()  # type: ignore[arg-type]
        late.close()
        self.close_when_flushed = True

    def received(self, data: bytes) -> bool:
        if self._waits_since is None:
            self._waits_since = time.monotonic()
        return super().received(data)

    def service(self) -> None:
        # A whole request has arrived. The next one may have begun behind it.
        self._waits_since = None
        super().service()
        if self.request is not None:
            self._waits_since = time.monotonic()

    def del_channel(self, map: Any = None) -> None:
        super().del_channel(map)
        # waitress may close a connection more than once.
        address, self._address = self._address, None
        if address is not None:
            self.connections.close(address)
