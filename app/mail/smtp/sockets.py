"""A TCP connection that is made, or given up, within a time that counts the look-up of the name."""

import socket
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from typing import Any


class LookUpFailed(OSError):
    """A name has no address, or no name server has told it in time. The text names the name."""


def connect(host: str, port: int, seconds: float) -> socket.socket:
    """Connect to the first address of ``host`` that takes the connection.

    Raises ``LookUpFailed``, ``TimeoutError`` after ``seconds``, and other ``OSError``. The time
    that is left is shared among the addresses that are left, so one that never answers takes only
    its share.
    """
    deadline = time.monotonic() + seconds
    addresses = _look_up(host, port, seconds)
    problem: OSError = LookUpFailed(f"the name {host} has no address")
    for number, (family, kind, protocol, _, address) in enumerate(addresses):
        left = max(deadline - time.monotonic(), 0.001)
        try:
            sock = socket.socket(family, kind, protocol)
            try:
                sock.settimeout(left / (len(addresses) - number))
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except BaseException:
                sock.close()
                raise
        except OSError as error:
            problem = error
        else:
            return sock
    raise problem


def abort(sock: socket.socket) -> None:
    """Break a connection from another thread. Whoever waits for it gets an error at once, or reads
    its end.
    """
    # SSLSocket.shutdown would first drop TLS, and another thread could then send in clear.
    # An error means that the connection is closed already.
    with suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _look_up(host: str, port: int, seconds: float) -> list[Any]:
    """What ``getaddrinfo`` returns. It takes no timeout, so a thread of its own waits for it. The
    thread is a daemon: a process that ends does not wait for it.
    """
    answer: Future[list[Any]] = Future()

    def ask() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=ask, name=f"look-up-{host}", daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        reason = (
            f"no answer within {round(seconds, 1):g} seconds; check this machine's name servers"
        )
    except OSError as error:
        reason = error.strerror or str(error)
    except UnicodeError:
        reason = "it is no host name"
    raise LookUpFailed(f"the name {host} could not be looked up: {reason}")
