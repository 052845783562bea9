"""A shop that is served by a thread of the tests' process, for browsers."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyramid.router import Router
from waitress.server import create_server

from app import configure
from tests.support.ports import free_port
from tests.support.shop_settings import shop_settings
from tests.support.shopping import stock


@contextmanager
def served(folder: Path, more: dict[str, str]) -> Iterator[tuple[Router, str]]:
    """The application with the sample products, and the address where it is served. ``folder``
    holds its migrated database, ``pillarbox.sqlite``. ``more`` are further settings.
    """
    port = free_port()
    base_url = f"http://localhost:{port}"
    settings = shop_settings("sqlite:///pillarbox.sqlite", base_url=base_url)
    config = configure({"here": str(folder)}, settings | more)
    config.registry.email_composer.raises = True
    application = config.make_wsgi_app()
    stock(config.registry.database, config.registry.pillarbox.shop.files)
    server = create_server(application, host="127.0.0.1", port=port, threads=4)
    thread = threading.Thread(target=server.run, name="shop")
    thread.start()
    yield application, base_url
    server.close()
    thread.join(10)
    server.task_dispatcher.shutdown()
    config.registry.database.dispose()
