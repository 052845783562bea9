"""A pooler in front of PostgreSQL, in transaction mode: each transaction gets another one of a few
backends. It knows of the protocol only where a message ends and where a transaction ends.
"""

import queue
import socket
import struct
import threading
from contextlib import suppress
from typing import Self

from sqlalchemy import URL, make_url

BACKENDS = 6
VERSION_3 = 196608
ENCRYPTION = {80877103, 80877104}
"""How a client that asks for TLS or GSSAPI begins."""


class Pooler:
    """Listens on a port of its own for clients of one database.

    With ``last_first`` the next transaction gets the backend that was used last, as PgBouncer does
    it. A client that is alone then always gets the same backend.
    """

    def __init__(self, url: str, *, last_first: bool = False) -> None:
        self._server = make_url(url)
        self._idle: queue.Queue[socket.socket] = queue.LifoQueue() if last_first else queue.Queue()
        self._sockets: list[socket.socket] = []
        self._greeting = b""
        """What a backend sends before its first query. Every client gets the same."""

    def __enter__(self) -> Self:
        for _ in range(BACKENDS):
            self._idle.put(self._backend())
        self._listening = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        for sock in (self._listening, *self._sockets):
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the database behind the pooler."""
        return through(self._server, self._listening)

    def _backend(self) -> socket.socket:
        backend = connected(self._server)
        self._sockets.append(backend)
        words = f"user\0{self._server.username}\0database\0{self._server.database}\0\0".encode()
        backend.sendall(struct.pack("!II", len(words) + 8, VERSION_3) + words)
        self._greeting = b""
        while not self._greeting.endswith(_READY):
            self._greeting += _message(backend)
        return backend

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._sockets.append(client)
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client:
            while struct.unpack("!I", _startup(client)[:4])[0] in ENCRYPTION:
                client.sendall(b"N")
            client.sendall(self._greeting)
            while (message := _message(client))[:1] != b"X":
                backend = self._idle.get()
                _transaction(client, backend, message)
                # This line is not reached when the client leaves within a transaction.
                self._idle.put(backend)


_READY = b"Z" + struct.pack("!I", 5) + b"I"
"""ReadyForQuery, outside a transaction."""


def _transaction(client: socket.socket, backend: socket.socket, message: bytes) -> None:
    """Pass messages on, from the client's first one until no transaction is open."""
    reply = b""
    while True:
        backend.sendall(message)
        if message[:1] in (b"Q", b"S"):
            # A query or a Sync: the client now waits for the replies.
            while (reply := _message(backend))[:1] != b"Z":
                client.sendall(reply)
            client.sendall(reply)
        if reply == _READY:
            return
        message = _message(client)


def _startup(sock: socket.socket) -> bytes:
    [length] = struct.unpack("!I", _octets(sock, 4))
    return _octets(sock, length - 4)


def _message(sock: socket.socket) -> bytes:
    head = _octets(sock, 5)
    [length] = struct.unpack("!I", head[1:])
    return head + _octets(sock, length - 4)


def _octets(sock: socket.socket, count: int) -> bytes:
    octets = b""
    while len(octets) < count:
        more = sock.recv(count - len(octets))
        if not more:
            raise ConnectionResetError
        octets += more
    return octets


def connected(url: URL) -> socket.socket:
    """A new connection to the PostgreSQL of that URL, on which nothing has been sent."""
    sock = socket.socket(socket.AF_UNIX)
    sock.connect(f"{url.query['host']}/.s.PGSQL.5432")
    return sock


def through(url: URL, listening: socket.socket, **settings: str) -> str:
    """SQLAlchemy's URL of the same database, reached through ``listening``."""
    port = str(listening.getsockname()[1])
    way = url.update_query_dict({"host": "127.0.0.1", "port": port, **settings})
    return way.render_as_string(hide_password=False)
