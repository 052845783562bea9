"""The threads that answer requests: most answer any request, and a few of their own answer those
that hash a password.

Hashing takes a processor 30 ms. When many people sign in at once, their requests wait for each
other, and pages do not wait for them.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from waitress.task import ThreadedTaskDispatcher

HASHING_SECONDS = 0.03
"""How long a password's hash takes, and at least how long each request has a hashing thread."""


@dataclass(frozen=True, slots=True)
class _AsLongAsAHash:
    """A connection's request, after which the thread rests until a hash would have been made.

    A try that a limit refuses takes a tenth of that, and all of it in Python. Without the rest, a
    flood of such tries would leave pages no time in the interpreter.
    """

    connection: Any

    def service(self) -> None:
        begun = time.monotonic()
        self.connection.service()
        time.sleep(max(0, HASHING_SECONDS - (time.monotonic() - begun)))

    def cancel(self) -> None:
        self.connection.cancel()


class _HashingThreads(ThreadedTaskDispatcher):
    # waitress warns of each request that waits. Here requests wait by design.
    queue_logger = logging.getLogger("waitress.queue.hashing")
    queue_logger.setLevel(logging.ERROR)


class Threads(ThreadedTaskDispatcher):
    """The threads for pages, which hold the threads for hashing. ``hashes(method, path)`` says
    whether a request hashes a password.
    """

    def __init__(self, hashes: Callable[[str, str], bool]) -> None:
        super().__init__()
        self._hashes = hashes
        self._hashing = _HashingThreads()

    def start(self, pages: int, hashing: int) -> None:
        """Start this number of threads of each kind."""
        self.set_thread_count(pages)
        self._hashing.set_thread_count(hashing)

    def add_task(self, task: Any) -> None:
        """Let a thread answer the first request of ``task``, which is a connection.

        waitress calls this for the connection's next request once the first is answered, so
        responses keep their order.
        """
        if self._is_hashing(task):
            as_long_as_a_hash: Any = _AsLongAsAHash(task)
            self._hashing.add_task(as_long_as_a_hash)
        else:
            super().add_task(task)

    def shutdown(self, cancel_pending: bool = True, timeout: int = 5) -> bool:
        """Wait at most ``timeout`` seconds for the requests that are being answered, for each kind
        of thread, and cancel those that wait.
        """
        # Both kinds begin to stop before we wait for one of them.
        self.start(0, 0)
        self._hashing.shutdown(cancel_pending, timeout)
        return super().shutdown(cancel_pending, timeout)

    def _is_hashing(self, connection: Any) -> bool:
        # The shutdown takes the requests of a connection away.
        request = connection.requests[0] if connection.requests else None
        if request is None or request.error is not None:
            return False
        # The application sees a single slash at the beginning, too.
        return self._hashes(request.command, "/" + request.path.lstrip("/"))
