"""How the server ends: it answers the requests that have arrived, and accepts no more.

waitress alone would stop its loop at once. Its threads would still finish their responses, but none
would be sent, so a customer would not learn that an order was placed.
"""

import time
from typing import Any

from waitress import wasyncore
from waitress.channel import HTTPChannel
from waitress.server import BaseWSGIServer

FINISH_SECONDS = 20.0


def run_until_signal(server: Any, sockets: dict[int, Any]) -> None:
    """Serve until a signal. Then answer what has arrived, for at most 20 seconds."""
    use_poll = server.adj.asyncore_use_poll
    try:
        wasyncore.loop(server.adj.asyncore_loop_timeout, use_poll, sockets)
    except (SystemExit, KeyboardInterrupt):
        _finish(sockets, use_poll)
    finally:
        server.task_dispatcher.shutdown()


def _finish(sockets: dict[int, Any], use_poll: bool) -> None:
    for listener in list(sockets.values()):
        if isinstance(listener, BaseWSGIServer):
            # Its own close() would also close the trigger by which threads wake the loop.
            wasyncore.dispatcher.close(listener)
    deadline = time.monotonic() + FINISH_SECONDS
    while any(map(_is_busy, sockets.values())) and time.monotonic() < deadline:
        wasyncore.loop(1.0, use_poll, sockets, count=1)


def _is_busy(connection: Any) -> bool:
    """Whether a request waits for its response, or part of a response is unsent."""
    return isinstance(connection, HTTPChannel) and bool(
        connection.requests or connection.total_outbufs_len
    )
