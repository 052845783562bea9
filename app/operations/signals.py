"""The signals that end the server and a worker."""

import logging
import os
import signal
from collections.abc import Callable
from types import FrameType

log = logging.getLogger(__name__)


def handle_signals(on_first: Callable[[int], None]) -> None:
    """Call ``on_first`` with the number of the first SIGTERM, SIGINT or SIGHUP. A second one ends
    the process at once, with 128 and its number as exit code.
    """

    def handle_first(number: int, frame: FrameType | None) -> None:
        _handle(_end_at_once)
        on_first(number)

    _handle(handle_first)


def _end_at_once(number: int, frame: FrameType | None) -> None:
    log.warning("process ends at once: signal=%s", signal.Signals(number).name)
    # No email is lost, because the outbox allows for a process that dies at any moment.
    os._exit(128 + number)


def _handle(handler: "signal._HANDLER") -> None:
    signal.signal(signal.SIGTERM, handler)
    # A shell that starts a process in the background lets it ignore SIGINT otherwise.
    signal.signal(signal.SIGINT, handler)
    # SIGHUP: the terminal was closed. nohup ignores the signal, so that the process goes on.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)
