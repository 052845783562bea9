"""Ports of this machine: one that is free, and whether a program listens on one."""

import os
import socket
from itertools import cycle

_PORTS = 2000
# Below the ports that the system gives to connections, and others for each worker of pytest-xdist:
# a port that one worker found free cannot be taken by another one before it is used.
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 10
_FIRST = 10_000 + _WORKER * _PORTS
_START = os.getpid() % _PORTS
_candidates = cycle(_FIRST + (_START + number) % _PORTS for number in range(_PORTS))


def free_port() -> int:
    """A port that no program listens on."""
    while True:
        port = next(_candidates)
        try:
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            continue
        return port


def is_listening(port: int) -> bool:
    """Whether a program takes connections on the port."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0
