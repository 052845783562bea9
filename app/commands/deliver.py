"""``pillarbox deliver``: a worker in the foreground."""

import logging
import signal
from pathlib import Path
from queue import SimpleQueue

import click
from pyramid.registry import Registry

from app.commands.application import INI, database_checked, load_application
from app.database.private_files import warn_of_open_folder
from app.mail.delivery.worker import Delivery
from app.operations.readiness import require_own_database
from app.operations.signals import handle_signals
from app.operations.worker_server import WorkerServer
from app.shop.chores import ChoresThread

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 30
"""How long emails in progress may take to finish after the first signal."""


@click.command()
@click.argument("ini", type=INI)
@click.option(
    "--listen",
    metavar="HOST:PORT",
    callback=lambda context, option, value: _address(value),
    help="Serve /metrics, /healthz and /readyz of this worker there.",
)
def deliver(ini: Path, listen: tuple[str, int] | None) -> None:
    """Deliver queued emails until SIGTERM or Ctrl-C.

    Then emails in progress may finish within 30 seconds, and claimed ones go back to the queue. A
    second signal stops at once. An email that waits for the relay's verdict is then in doubt, as
    after a crash. Any number of workers may run, also beside the server.
    """
    loaded = load_application(ini)[0].registry
    with database_checked(loaded, require_own_database) as registry:
        email = registry.pillarbox.email
        if email.smtp_server is None:
            raise click.ClickException(
                f"email.smtp_server is not set in {ini}. Set it to the relay's host name."
            )
        warn_of_open_folder(registry.database.engine.url)
        server = _listen(registry, listen)
        worker = Delivery(registry)
        # A signal handler may call SimpleQueue.put, because that method is reentrant.
        signals: SimpleQueue[int] = SimpleQueue()
        handle_signals(signals.put)
        log.info(
            "delivery started: relay=%s:%d connections=%d debug=%s",
            email.smtp_server,
            email.smtp_port,
            email.connections,
            email.debug,
        )
        chores = ChoresThread(registry)
        worker.start()
        chores.start()
        if server is not None:
            server.start()
        name = signal.Signals(signals.get()).name
        log.info(
            "delivery finishes emails in progress: signal=%s seconds=%d", name, PATIENCE_SECONDS
        )
        worker.stop(PATIENCE_SECONDS)
        chores.stop()
        if server is not None:
            server.stop()
        log.info("delivery stopped")


def _address(value: str | None) -> tuple[str, int] | None:
    if value is None:
        return None
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isdecimal() and 0 < int(port) < 65536):
        raise click.BadParameter(f"{value!r} is not of the form HOST:PORT, such as 127.0.0.1:9464.")
    return host.strip("[]"), int(port)


def _listen(registry: Registry, address: tuple[str, int] | None) -> WorkerServer | None:
    if address is None:
        return None
    try:
        return WorkerServer(registry, *address)
    except OSError as error:
        host, port = address
        raise click.ClickException(
            f"--listen: cannot listen on {host} port {port}: {error.strerror}."
        ) from None
