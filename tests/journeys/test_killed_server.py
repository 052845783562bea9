"""The server is killed with -9 right after it answered a sign-up. After a restart the email arrives
once.
"""

import re
import signal
import socket
import subprocess
import threading
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import select

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from tests.support.ports import free_port, is_listening
from tests.support.relay import Relay
from tests.support.server_process import Process, environment, pillarbox, running
from tests.support.shop_settings import write_ini
from tests.support.waiting import eventually


def log_of(ini: Path) -> Path:
    return ini.with_suffix(".log")


@contextmanager
def server(ini: Path, port: int) -> Iterator[Process]:
    """``pillarbox serve`` in a process of its own, which listens on its port."""
    with running(pillarbox("serve", ini), log_of(ini), lambda: is_listening(port)) as process:
        yield process


def sign_up(port: int, address: str) -> int:
    """Sign up over real HTTP. Returns the status of the last page."""
    base = f"http://localhost:{port}"
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
    with browser.open(f"{base}/sign-up") as page:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.read().decode())
    assert token
    fields = {
        "csrf_token": token[1],
        "email": address,
        "password": "a lovely long passphrase",
    }
    with browser.open(f"{base}/sign-up", urllib.parse.urlencode(fields).encode()) as response:
        return int(response.status)


@pytest.mark.parametrize("relay_is_up", [False, True])
def test_an_email_survives_kill_9_of_the_server_right_after_the_response(
    tmp_path: Path, sending_values: dict[str, str], relay: Relay, relay_is_up: bool
) -> None:
    port = free_port()
    values = sending_values | {"site.base_url": f"http://localhost:{port}"}
    ini = write_ini(tmp_path / "test.ini", values, port=port, log_level="INFO")
    if not relay_is_up:
        relay.stop()
    with server(ini, port) as process:
        assert sign_up(port, "ada@example.org") == 200
        process.send_signal(signal.SIGKILL)
        process.wait()
    if not relay_is_up:
        relay.start()
    with server(ini, port) as process:
        relay.wait_for(1)
        process.terminate()
        assert process.wait(30) == 0
    assert {received.recipients[0] for received in relay.received} == {"ada@example.org"}
    messages = {received.message for received in relay.received}
    assert len(messages) == 1
    if not relay_is_up:
        assert len(relay.received) == 1


@pytest.mark.parametrize("is_patient", [True, False])
def test_a_server_that_is_told_to_stop_lets_the_email_under_way_finish_unless_told_twice(
    tmp_path: Path, sending_values: dict[str, str], relay: Relay, is_patient: bool
) -> None:
    held = threading.Event()
    relay.before_verdict = held.wait
    port = free_port()
    values = sending_values | {"site.base_url": f"http://localhost:{port}"}
    ini = write_ini(tmp_path / "test.ini", values, port=port, log_level="INFO")
    try:
        with server(ini, port) as process:
            assert sign_up(port, "ada@example.org") == 200
            assert relay.body_arrived.wait(20)
            process.send_signal(signal.SIGTERM)
            eventually(lambda: not is_listening(port))
            assert process.poll() is None
            if is_patient:
                held.set()
                assert process.wait(10) == 0
            else:
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 128 + signal.SIGTERM
    finally:
        held.set()
    assert "Traceback" not in log_of(ini).read_text()
    database = Database(sending_values["database.url"])
    with database.transaction(write=False) as session:
        [email] = session.scalars(select(OutboxEmail))
    database.dispose()
    assert email.state == ("sent" if is_patient else "sending")


def test_a_server_whose_port_is_taken_says_so_in_one_line(
    tmp_path: Path, settings_values: dict[str, str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ini = write_ini(tmp_path / "test.ini", settings_values, port=port, log_level="INFO")
        ended = subprocess.run(
            pillarbox("serve", ini),
            capture_output=True,
            text=True,
            env=environment(),
            check=False,
        )
    assert ended.returncode == 1
    assert f"Port {port} is taken" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Shop" not in ended.stdout, "it must not give the address of another program"
