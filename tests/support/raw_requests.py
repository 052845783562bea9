"""Requests octet by octet, to a server in a process of its own."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from tests.support.ports import free_port, is_listening
from tests.support.server_process import Process, pillarbox, running
from tests.support.shop_settings import shop_settings, write_ini


class Shop:
    """A server in a process of its own, and the connections that a test holds to it."""

    def __init__(self, port: int, held: ExitStack, log: Path, process: Process) -> None:
        self.port = port
        self.held = held
        self.log = log
        self.process = process

    def ask(self, *parts: bytes | str, client: str = "127.0.0.1") -> bytes:
        """All that the server answers to these octets until it closes the connection."""
        octets = b"".join(part.encode() if isinstance(part, str) else part for part in parts)
        with self.connect(client, octets) as connection:
            return answer(connection)

    def connect(self, client: str, sent: bytes) -> socket.socket:
        """Connect from that address, send these octets, and hold the connection."""
        connection = socket.create_connection(
            ("127.0.0.1", self.port), timeout=30, source_address=(client, 0)
        )
        connection.sendall(sent)
        return self.held.enter_context(connection)

    def seconds_of_a_page(self, client: str) -> float:
        """How long the catalogue takes over a new connection."""
        started = time.perf_counter()
        connection = self.connect(client, b"GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert answer(connection).startswith(b"HTTP/1.0 200 OK")
        return time.perf_counter() - started


Serve = Callable[..., AbstractContextManager[Shop]]


def answer(connection: socket.socket) -> bytes:
    """All that the server sends before it closes the connection."""
    parts = []
    try:
        while part := connection.recv(65_536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@contextmanager
def serving(folder: Path, database_url: str, *, setup: str = "", **settings: str) -> Iterator[Shop]:
    """A server with these settings, whose .ini file and log are in ``folder``. Its process first
    runs the statements of ``setup``.
    """
    port, log = free_port(), folder / "log"
    values = shop_settings(database_url, base_url=f"http://localhost:{port}") | settings
    ini = write_ini(folder / "shop.ini", values, port=port, log_level="INFO")
    command = pillarbox("serve", ini, setup=setup)
    with (
        running(command, log, lambda: is_listening(port)) as process,
        ExitStack() as held,
    ):
        yield Shop(port, held, log, process)
