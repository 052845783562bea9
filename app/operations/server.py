"""The server: waitress around the application, and beside it the thread that delivers, both started
and stopped together.

``main()`` starts no thread, so tests, pshell, proutes and commands never deliver anything.
"""

import errno
import os
import signal
import sys
from types import FrameType
from typing import Any, NoReturn

import click
from pyramid.router import Router
from waitress.server import create_server

from app.mail.delivery.worker import Delivery
from app.operations.readiness import NotReady, require_ours


def serve(app: Router, global_config: dict[str, str], **settings: Any) -> None:
    """Serve ``app`` until SIGTERM, SIGINT or SIGHUP; the .ini's ``[server:main]`` calls it.

    Takes waitress's settings. ``PORT`` in the environment wins over ``port``. Ends the process with
    code 1 when the port is taken, or the database is not ready or another site's.
    """
    try:
        require_ours(app.registry)
    except NotReady as problem:
        _refuse(app, f"Pillarbox cannot start.\n{problem}")
    settings.setdefault("host", "127.0.0.1")
    settings.setdefault("ident", "")
    # The application answers 413 from 1 MB on; waitress need not collect much more than that first.
    settings.setdefault("max_request_body_size", 2 * 1024 * 1024)
    settings["port"] = port = os.environ.get("PORT") or settings.get("port", "6543")
    try:
        server = create_server(app, **settings)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            _refuse(
                app,
                f"Port {port} is taken. Stop the program that uses it,"
                " or choose another: PORT=8080 ./run",
            )
        # Another machine's address, or a port that only root may have.
        _refuse(
            app,
            f"[server:main]: {settings['host']} port {port} cannot be listened on:"
            f" {error.strerror}. Correct host or port.",
        )
    except ValueError as error:
        _refuse(app, f"[server:main]: {error}")
    # Only now, since there is something at these addresses now.
    pillarbox = app.registry.pillarbox
    click.echo(f"Shop     {pillarbox.site.base_url}/")
    if pillarbox.email.debug and not pillarbox.is_production:
        click.echo(f"Mailbox  {pillarbox.site.base_url}/dev/mailbox")
    delivery = Delivery.from_registry(app.registry)
    signal.signal(signal.SIGTERM, _interrupt)
    # The terminal is gone. Under nohup nobody minds.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    in_process = pillarbox.email.delivery == "in-process"
    if in_process:
        delivery.start()
    try:
        server.run()
    finally:
        server.close()
        if in_process:
            delivery.stop()
        app.registry.database.dispose()


def _refuse(app: Router, message: str) -> NoReturn:
    """End the process with code 1 and a message, which `pserve` would turn into a success."""
    app.registry.database.dispose()
    click.echo(message, err=True)
    sys.stdout.flush()
    os._exit(1)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    # waitress ends its loop on SystemExit, as it does on Ctrl-C.
    sys.exit(0)
