"""A server in a process of its own."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.ports import free_port, is_listening
from tests.support.raw_requests import Serve, Shop
from tests.support.server_process import pillarbox, running
from tests.support.shop_settings import shop_settings, write_ini


@pytest.fixture
def serve(tmp_path: Path, sqlite_url: str) -> Serve:
    @contextmanager
    def serve(*, setup: str = "", **settings: str) -> Iterator[Shop]:
        port = free_port()
        values = shop_settings(sqlite_url, base_url=f"http://localhost:{port}") | settings
        ini = write_ini(tmp_path / "shop.ini", values, port=port, log_level="INFO")
        log = tmp_path / "log"
        command = pillarbox("serve", ini, setup=setup)
        with (
            running(command, log, lambda: is_listening(port)) as process,
            ExitStack() as held,
        ):
            yield Shop(port, held, log, process)

    return serve
