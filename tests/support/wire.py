"""Connections to PostgreSQL that can be cut so that neither end notices, as by a broken cable. The
client's segments are no longer acknowledged, and the server keeps its side open.
"""

import ctypes
import socket
import struct
import threading
from contextlib import suppress
from typing import Self

from sqlalchemy import make_url

from tests.support.pooler import connected, through

SO_ATTACH_FILTER = 26
"""Linux: a program of the Berkeley Packet Filter decides which segments reach a socket."""
NOTHING = struct.pack("HBBI", 0x06, 0, 0, 0)
"""The program that lets none through: it returns 0."""


class Wire:
    """Listens on a port of its own for clients of one server."""

    def __init__(self, url: str) -> None:
        self._server = make_url(url)
        self._pairs: list[_Pair] = []

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        for pair in self._pairs:
            pair.end()

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database, reached through this wire. A client gives up after its
        segments were not acknowledged for a second.
        """
        patience = {"keepalives_idle": "1", "keepalives_interval": "1", "tcp_user_timeout": "1000"}
        return through(self._server, self._listening, **patience)

    def cut(self) -> None:
        """Carry nothing more over the present connections, and close none. New ones work."""
        for pair in self._pairs:
            pair.cut()

    def close(self) -> None:
        """Take no new connections."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._pairs.append(_Pair(client, connected(self._server)))


class _Pair:
    """A connection: the client's half, and the server's."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self._client, self._server = client, server
        self._is_cut = False
        for ends in ((client, server), (server, client)):
            threading.Thread(target=self._carry, args=ends, daemon=True).start()

    def cut(self) -> None:
        self._is_cut = True
        program = ctypes.create_string_buffer(NOTHING)
        pointer = struct.pack("HP", 1, ctypes.addressof(program))
        self._client.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, pointer)

    def end(self) -> None:
        for sock in (self._client, self._server):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while octets := source.recv(65536):
                if not self._is_cut:
                    target.sendall(octets)
            if not self._is_cut:
                target.shutdown(socket.SHUT_WR)
