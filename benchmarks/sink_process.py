"""The SMTP server of a ``Sink``, so fast that it is never the bottleneck. It prints its port, and
then answers the questions on its standard input until that ends.
"""

import json
import os
import socket
import ssl
import sys
import threading
import time
from contextlib import suppress
from queue import SimpleQueue

_DOT = b"\r\n.\r\n"
_FINE = b"250 2.0.0 fine\r\n"
_REPLIES = {
    b"EHLO": b"250-sink\r\n250-PIPELINING\r\n250-SIZE 50000000\r\n250-8BITMIME\r\n"
    b"250-ENHANCEDSTATUSCODES\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n",
    b"AUTH": b"235 2.7.0 welcome\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 2.0.0 goodbye\r\n",
}


def _main(round_trip: str, *certificate_and_key: str) -> None:
    context = None
    if certificate_and_key:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate_and_key)
    times: list[float] = []
    listener = socket.create_server(("127.0.0.1", 0), backlog=100)
    _in_background(_accept, listener, float(round_trip), context, times)
    print(listener.getsockname()[1], flush=True)
    for question in sys.stdin:
        answer: object = len(times)
        if question == "times\n":
            answer = times
        elif question == "forget\n":
            times.clear()
        print(json.dumps(answer), flush=True)
    os._exit(0)


def _accept(
    listener: socket.socket, round_trip: float, context: ssl.SSLContext | None, times: list[float]
) -> None:
    while True:
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _in_background(_serve, connection, round_trip, context, times)


def _serve(
    connection: socket.socket,
    round_trip: float,
    context: ssl.SSLContext | None,
    times: list[float],
) -> None:
    # The client may hang up at any time.
    with suppress(OSError):
        if round_trip:
            connection = _moved_away(connection, round_trip)
        if context is not None:
            connection = context.wrap_socket(connection, server_side=True)
        with connection:
            _talk(connection, times)


def _talk(connection: socket.socket, times: list[float]) -> None:
    """SMTP with PIPELINING: one packet answers all commands that have arrived."""
    connection.sendall(b"220 sink ESMTP\r\n")
    unread, searched, in_message = b"", 0, False
    while chunk := connection.recv(256 * 1024):
        unread += chunk
        replies = b""
        while True:
            mark = _DOT if in_message else b"\n"
            end = unread.find(mark, searched)
            if end < 0:
                searched = max(len(unread) - len(mark), 0)
                break
            command, unread, searched = unread[:end], unread[end + len(mark) :], 0
            if in_message:
                times.append(time.monotonic())
                replies, in_message = replies + _FINE, False
            else:
                verb = command[:4].upper()
                replies, in_message = replies + _REPLIES.get(verb, _FINE), verb == b"DATA"
        if replies:
            connection.sendall(replies)


def _moved_away(connection: socket.socket, round_trip: float) -> socket.socket:
    """The same connection at the far end of a line on which every octet takes half a round trip.

    The TCP handshake, which is over already, took a whole round trip.
    """
    time.sleep(round_trip)
    near, far = socket.socketpair()
    for source, target in ((connection, far), (far, connection)):
        wire: SimpleQueue[tuple[float, bytes]] = SimpleQueue()
        _in_background(_put_in, source, wire, round_trip / 2)
        _in_background(_take_out, wire, target)
    return near


def _put_in(source: socket.socket, wire: "SimpleQueue[tuple[float, bytes]]", way: float) -> None:
    chunk = b"?"
    while chunk:
        try:
            chunk = source.recv(256 * 1024)
        except OSError:
            chunk = b""
        wire.put((time.monotonic() + way, chunk))


def _take_out(wire: "SimpleQueue[tuple[float, bytes]]", target: socket.socket) -> None:
    with suppress(OSError):
        while True:
            arrives, chunk = wire.get()
            time.sleep(max(arrives - time.monotonic(), 0))
            if not chunk:
                target.shutdown(socket.SHUT_WR)
                return
            target.sendall(chunk)


def _in_background(function: object, *arguments: object) -> None:
    threading.Thread(target=function, args=arguments, daemon=True).start()  # type: ignore[arg-type]


if __name__ == "__main__":
    _main(*sys.argv[1:])
