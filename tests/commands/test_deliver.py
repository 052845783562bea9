"""``pillarbox deliver``: a worker in a process of its own, which signals end."""

import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from app.commands import deliver
from app.mail.command_counts import MetricCount
from app.mail.delivery.worker import Delivery
from app.mail.test_message import TEST_MESSAGE
from tests.support import server_process
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.pillarbox_command import Pillarbox
from tests.support.ports import free_port
from tests.support.relay import Relay
from tests.support.rows import count
from tests.support.server_process import Process, running
from tests.support.shop_settings import write_ini
from tests.support.waiting import eventually

START = "delivery started: relay=127.0.0.1"


@pytest.fixture
def logging_ini(tmp_path: Path, sending_values: dict[str, str]) -> Path:
    values = sending_values | {"email.connections": "1"}
    return write_ini(tmp_path / "worker.ini", values, log_level="INFO")


@contextmanager
def worker(
    ini: Path, patience: float = deliver.PATIENCE_SECONDS, listen: str | None = None
) -> Iterator[Process]:
    """A process of ``pillarbox deliver`` that has started to deliver."""
    log = ini.with_suffix(".log")
    setup = f"from app.commands import deliver; deliver.PATIENCE_SECONDS = {patience}"
    options = [] if listen is None else ["--listen", listen]
    command = server_process.pillarbox("deliver", ini, *options, setup=setup)
    with running(command, log, lambda: START in log.read_text()) as process:
        yield process


def test_it_delivers_until_sigterm_and_says_when_it_starts_and_stops(
    logging_ini: Path, outbox: Outbox, relay: Relay
) -> None:
    emails = [outbox.write(number, of=TEST_MESSAGE) for number in range(3)]
    with worker(logging_ini) as process:
        relay.wait_for(3)
        emails.append(outbox.write(9, of=TEST_MESSAGE))
        relay.wait_for(4)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert {outbox.row(email).state for email in emails} == {"sent"}
    # It is scraped itself, so it leaves no counts for others.
    assert count(outbox.registry.database, MetricCount) == 0
    log = logging_ini.with_suffix(".log").read_text()
    assert f"{START}:{relay.port} connections=1" in log
    assert "delivery finishes emails in progress: signal=SIGTERM seconds=30" in log
    assert "delivery stopped" in log
    assert "example.org" not in log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_lets_what_is_under_way_finish_and_hands_the_rest_back(
    logging_ini: Path, outbox: Outbox, relay: Relay, number: signal.Signals
) -> None:
    held = threading.Event()
    relay.before_verdict = held.wait
    emails = [outbox.write(number, of=TEST_MESSAGE) for number in range(5)]
    with worker(logging_ini) as process:
        assert relay.body_arrived.wait(20)
        process.send_signal(number)
        log = logging_ini.with_suffix(".log")
        eventually(lambda: "finishes emails in progress" in log.read_text())
        held.set()
        assert process.wait(20) == 0
    rows = [outbox.row(email) for email in emails]
    assert [row.state for row in rows] == ["sent", *["queued"] * 4]
    assert {row.leased_by for row in rows} == {None}
    assert len(relay.received) == 1


def test_an_email_without_a_verdict_after_30_seconds_is_unknown_and_the_rest_stay_queued(
    logging_ini: Path, outbox: Outbox, relay: Relay
) -> None:
    held = threading.Event()
    relay.before_verdict = held.wait
    emails = [outbox.write(number, of=TEST_MESSAGE) for number in range(5)]
    try:
        with worker(logging_ini, patience=0.2) as process:
            assert relay.body_arrived.wait(20)
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
    finally:
        held.set()
    rows = [outbox.row(email) for email in emails]
    assert [row.state for row in rows] == ["unknown", *["queued"] * 4]
    assert {row.leased_by for row in rows} == {None}
    assert "delivery stopped" in logging_ini.with_suffix(".log").read_text()
    assert deliver.PATIENCE_SECONDS == 30


def test_a_relay_that_says_nothing_does_not_keep_a_worker_from_ending(
    tmp_path: Path, sending_values: dict[str, str], outbox: Outbox
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = str(silent.getsockname()[1])
        values = sending_values | {"email.smtp_port": port}
        ini = write_ini(tmp_path / "silent.ini", values, log_level="INFO")
        email = outbox.write(1, of=TEST_MESSAGE)
        with worker(ini, patience=0.2) as process:
            connection, _ = silent.accept()
            with connection:
                process.send_signal(signal.SIGTERM)
                assert process.wait(20) == 0
    assert (outbox.row(email).state, outbox.row(email).attempts) == ("queued", 0)
    assert outbox.row(email).leased_by is None


def test_an_idle_worker_ends_without_waiting_for_anything(
    logging_ini: Path, outbox: Outbox
) -> None:
    with worker(logging_ini) as process:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_second_signal_stops_at_once_and_what_waited_is_in_doubt_for_the_next_worker(
    logging_ini: Path, outbox: Outbox, relay: Relay
) -> None:
    held = threading.Event()
    relay.before_verdict = held.wait
    first, second = (outbox.write(number, of=TEST_MESSAGE) for number in (1, 2))
    with worker(logging_ini) as process:
        assert relay.body_arrived.wait(20)
        process.send_signal(signal.SIGTERM)
        log = logging_ini.with_suffix(".log")
        eventually(lambda: "finishes emails in progress" in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(3) == 128 + signal.SIGTERM
    assert "process ends at once: signal=SIGTERM" in log.read_text()
    held.set()
    rescuer = Delivery(outbox.registry)
    rescuer.run_once()
    rescuer.stop()
    assert outbox.row(first).state == "unknown"
    assert outbox.row(second).state == "sent"


def test_a_worker_beside_the_servers_thread_doubles_nothing(
    logging_ini: Path, outbox: Outbox, relay: Relay
) -> None:
    emails = [outbox.write(number, of=TEST_MESSAGE) for number in range(60)]
    in_process = Delivery(outbox.registry)
    with worker(logging_ini) as process:
        in_process.start()
        relay.wait_for(60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    in_process.stop()
    assert {outbox.row(email).state for email in emails} == {"sent"}
    recipients = sorted(received.recipients[0] for received in relay.received)
    assert recipients == sorted(email.recipient for email in emails)


def test_without_the_tables_it_says_what_to_run(
    pillarbox: Pillarbox, ini: Path, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    assert f"Run: pillarbox migrate {ini}" in pillarbox("deliver", ini, code=1).output


def test_without_a_relay_it_names_the_setting(
    pillarbox: Pillarbox, tmp_path: Path, settings_values: dict[str, str]
) -> None:
    ini = write_ini(tmp_path / "debug.ini", settings_values)
    assert "email.smtp_server is not set" in pillarbox("deliver", ini, code=1).output


def test_a_database_that_cannot_be_reached_is_one_line(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str]
) -> None:
    values = sending_values | {"database.url": "postgresql://nobody@127.0.0.1:1/nowhere"}
    ini = write_ini(tmp_path / "away.ini", values)
    output = pillarbox("deliver", ini, code=1).output
    assert "The database cannot be used" in output
    assert "Check that it runs" in output


# --- Its own small server -----------------------------------------------------


@on_sqlite
@pytest.mark.usefixtures("outbox")
def test_it_serves_its_metrics_and_health(logging_ini: Path, outbox: Outbox, relay: Relay) -> None:
    port = free_port()
    with worker(logging_ini, listen=f"127.0.0.1:{port}") as process:
        outbox.write(1, of=TEST_MESSAGE)
        relay.wait_for(1)

        def metrics() -> str:
            return asked(port, "/metrics")[1]

        sent = 'pillarbox_emails_total{kind="test_message",state="sent"} 1.0'
        eventually(lambda: sent in metrics(), what="the email to be counted")
        assert asked(port, "/healthz") == (200, "ok\n")
        assert asked(port, "/readyz") == (200, "ok\n")
        assert asked(port, "/")[0] == 404
        assert asked(port, "/metrics", {"X-Forwarded-For": "192.0.2.7"})[0] == 403
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def asked(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """The status and the text of an answer."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path, headers=headers or {})
        response = connection.getresponse()
        return response.status, response.read().decode()


@on_sqlite
@pytest.mark.usefixtures("outbox")
@pytest.mark.parametrize("listen", ["9464", "127.0.0.1:", ":9464", "127.0.0.1:70000", "a:b"])
def test_where_it_cannot_listen_it_says_how_to_write_it(
    pillarbox: Pillarbox, ini: Path, listen: str
) -> None:
    output = pillarbox("deliver", ini, "--listen", listen, code=2).output
    assert "is not of the form HOST:PORT, such as 127.0.0.1:9464" in output


@on_sqlite
@pytest.mark.usefixtures("outbox")
def test_a_taken_port_is_named(pillarbox: Pillarbox, ini: Path, relay: Relay) -> None:
    output = pillarbox("deliver", ini, "--listen", f"127.0.0.1:{relay.port}", code=1).output
    assert f"--listen: cannot listen on 127.0.0.1 port {relay.port}" in output
