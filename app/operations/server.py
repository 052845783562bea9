"""The server: waitress around the application, and beside it the thread that delivers email. Both
start and stop together.

``main()`` starts no thread, so tests, pshell, proutes and commands never deliver anything.
"""

import errno
import os
import sys
from functools import partial
from typing import Any, NoReturn

import click
from pyramid.router import Router
from waitress.server import BaseWSGIServer, create_server

from app.accounts.passwords import HASHING_SLOTS
from app.database.private_files import warn_of_open_folder
from app.mail.delivery.worker import Delivery
from app.operations.connections import Connections, connection_limit
from app.operations.ending import run_until_signal
from app.operations.readiness import NotReady, require_own_database
from app.operations.signals import handle_signals
from app.operations.threads import Threads
from app.shop.chores import ChoresThread
from app.shop.payments.waiting import share_threads
from app.web.hashing_paths import hashes_password
from app.web.headers import headers_without_page


def serve(app: Router, global_config: dict[str, str], **settings: Any) -> None:
    """Serve ``app`` until SIGTERM, SIGINT or SIGHUP. The .ini file's ``[server:main]`` calls this.

    ``settings`` are waitress's. ``PORT`` in the environment wins over ``port``. Ends the process
    with code 1 when the port is taken, the database is not ready, or it belongs to another site.
    """
    try:
        require_own_database(app.registry)
    except NotReady as problem:
        _refuse(app, f"Pillarbox cannot start.\n{problem}")
    warn_of_open_folder(app.registry.database.engine.url)
    settings.setdefault("host", "127.0.0.1")
    settings.setdefault("ident", "")
    # The application decides by server.trusted_proxies whose headers it believes.
    settings.setdefault("clear_untrusted_proxy_headers", "false")
    # The application refuses bodies over 1 MB with 413. waitress need not collect much more first.
    settings.setdefault("max_request_body_size", 2 * 1024 * 1024)
    settings.setdefault("max_request_header_size", 64 * 1024)
    # select() knows no file descriptor above 1023.
    settings.setdefault("asyncore_use_poll", "true")
    settings.setdefault("connection_limit", str(connection_limit()))
    # Before the server listens: who sees it listening may end it at once. waitress ends its loop on
    # SystemExit, as on Ctrl-C.
    handle_signals(lambda number: sys.exit(0))
    settings["port"] = port = os.environ.get("PORT") or settings.get("port", "6543")
    try:
        sockets: dict[int, Any] = {}
        threads = Threads(partial(hashes_password, app.registry))
        server = create_server(app, map=sockets, _dispatcher=threads, **settings)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            _refuse(
                app,
                f"Port {port} is taken. Stop the program that uses it,"
                " or choose another: PORT=8080 ./run",
            )
        # The address is not this machine's, or only root may use the port.
        _refuse(
            app,
            f"[server:main]: cannot listen on {settings['host']} port {port}: {error.strerror}."
            " Correct host or port.",
        )
    except ValueError as error:
        _refuse(app, f"[server:main]: {error}")
    threads.start(server.adj.threads, HASHING_SLOTS)
    share_threads(app.registry, server.adj.threads)
    limit = int(settings["connection_limit"])
    pillarbox = app.registry.pillarbox
    connections = Connections(
        limit, pillarbox.server.trusted_proxies, headers_without_page(pillarbox.site)
    )
    for listener in sockets.values():
        if isinstance(listener, BaseWSGIServer):
            connections.bound(listener)
    # The server listens now, so these addresses answer.
    click.echo(f"Shop     {pillarbox.site.base_url}/")
    if pillarbox.email.debug and not pillarbox.is_production:
        click.echo(f"Mailbox  {pillarbox.site.base_url}/dev/mailbox")
    delivery, chores = Delivery(app.registry), ChoresThread(app.registry)
    in_process = pillarbox.email.delivery == "in-process"
    try:
        if in_process:
            delivery.start()
            chores.start()
        run_until_signal(server, sockets)
    finally:
        server.close()
        if in_process:
            delivery.stop()
            chores.stop()
        app.registry.database.dispose()


def _refuse(app: Router, message: str) -> NoReturn:
    """End the process with a message and code 1. ``os._exit``, because `pserve` would turn
    SystemExit into code 0.
    """
    app.registry.database.dispose()
    click.echo(message, err=True)
    sys.stdout.flush()
    os._exit(1)
