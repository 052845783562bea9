"""A server that is told to end answers what has arrived, and accepts nothing more."""

import signal
import socket
from pathlib import Path

import pytest

from tests.operations.test_threads import HEALTH, blocked_until, sign_in
from tests.support.raw_requests import Serve, answer
from tests.support.waiting import eventually


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionError:
        return True
    return False


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_requests_that_have_arrived_are_answered_before_the_server_ends(
    serve: Serve, tmp_path: Path, number: signal.Signals
) -> None:
    unblocked = tmp_path / "unblocked"
    with serve(setup=blocked_until(unblocked)) as shop:
        form = sign_in(shop)
        # More than there are threads for them, so most of them wait for one.
        waiting = [shop.connect("127.0.0.1", form) for _ in range(8)]
        # The server has read the forms when it answers what came after them.
        assert shop.connect("127.0.0.1", HEALTH).recv(65_536).startswith(b"HTTP/1.1 200")
        shop.process.send_signal(number)
        eventually(lambda: refuses(shop.port), what="the server to accept nothing more")
        unblocked.touch()
        for connection in waiting:
            assert answer(connection).startswith(b"HTTP/1.1 422")
        assert shop.process.wait(30) == 0


def test_a_second_signal_ends_the_server_at_once(serve: Serve, tmp_path: Path) -> None:
    with serve(setup=blocked_until(tmp_path / "never")) as shop:
        form = sign_in(shop)
        connection = shop.connect("127.0.0.1", form)
        # The server has read the form when it answers what came after it.
        assert shop.connect("127.0.0.1", HEALTH).recv(65_536).startswith(b"HTTP/1.1 200")
        shop.process.send_signal(signal.SIGTERM)
        eventually(lambda: refuses(shop.port), what="the server to accept nothing more")
        shop.process.send_signal(signal.SIGTERM)
        assert answer(connection) == b""
        assert shop.process.wait(3) == 128 + signal.SIGTERM
