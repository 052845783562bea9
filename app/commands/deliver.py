"""``pillarbox deliver``: a worker in the foreground."""

import logging
import os
import signal
from pathlib import Path
from queue import SimpleQueue
from types import FrameType

import click

from app.commands.ini_file import INI, opened
from app.mail.delivery.worker import Delivery

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30
"""How long what is under way may take to finish after the first signal."""


@click.command()
@click.argument("ini", type=INI)
def deliver(ini: Path) -> None:
    """Deliver what is queued, until SIGTERM or Ctrl-C.

    What is under way then may finish within 30 seconds, and the rest goes back to the queue. A
    second signal stops at once: what waits for the relay's verdict is in doubt, as after a crash.
    Any number of these may run, also beside the server.
    """
    with opened(ini) as registry:
        email = registry.pillarbox.email
        if email.smtp_server is None:
            raise click.ClickException(
                f"email.smtp_server is not set in {ini}: there is no relay to deliver to."
            )
        log.info(
            "delivery to %s:%d starts, with %d connections at most%s",
            email.smtp_server,
            email.smtp_port,
            email.connections,
            ", in debug mode" if email.debug else "",
        )
        _run(Delivery.from_registry(registry))
        log.info("delivery has stopped")


def _run(worker: Delivery) -> None:
    """Until a signal comes, and what is under way has finished."""
    # A SimpleQueue may be put to from a signal's handler, whatever the thread was doing.
    signals: SimpleQueue[int] = SimpleQueue()

    def first(number: int, frame: FrameType | None) -> None:
        _handle(_stop_now)
        signals.put(number)

    _handle(first)
    worker.start()
    name = signal.Signals(signals.get()).name
    log.info("%s: what is under way finishes within %d seconds", name, PATIENCE_SECONDS)
    worker.stop(PATIENCE_SECONDS)


def _stop_now(number: int, frame: FrameType | None) -> None:
    log.warning("%s again: delivery stops now", signal.Signals(number).name)
    # The rows are safe: the outbox expects workers to die at any moment.
    os._exit(128 + number)


def _handle(handler: "signal._HANDLER") -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, handler)
    # The terminal is gone. Under nohup nobody minds.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, handler)
