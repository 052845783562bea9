"""Slow and greedy clients do not keep others from the server."""

import resource
import select
import socket
import time

import pytest

from app.operations import connections
from app.operations.connections import Connections, connection_limit
from app.settings.hosts import networks
from app.web.proxies import client_of
from tests.support.raw_requests import Serve, Shop, answer
from tests.support.waiting import eventually

HEAD = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
SLOW = [HEAD + b"\r\n1", HEAD, b"P", b""]


def is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_300_slow_connections_from_3_addresses_stop_nobody(serve: Serve) -> None:
    with serve() as shop:
        shop.seconds_of_a_page("127.0.0.1")
        for number in range(300):
            shop.connect(f"127.0.0.{2 + number % 3}", SLOW[number % len(SLOW)])
        assert max(shop.seconds_of_a_page("127.0.0.1") for _ in range(5)) < 1
        assert shop.seconds_of_a_page("127.0.0.2") < 1


@pytest.mark.parametrize("first", SLOW)
def test_a_request_that_does_not_arrive_in_time_ends_although_octets_keep_coming(
    serve: Serve, first: bytes
) -> None:
    setup = "import app.operations.connections as c; c.REQUEST_SECONDS = 2"
    with serve(setup=setup) as shop:
        connection = shop.connect("127.0.0.1", first)
        started = time.monotonic()

        if first:
            connection.settimeout(0.2)
            received = b""
            while time.monotonic() - started < 20:
                try:
                    connection.send(b"x")
                    part = connection.recv(65_536)
                except TimeoutError:
                    continue
                except OSError:
                    break
                if not part:
                    break
                received += part
            assert received.startswith((b"HTTP/1.0 408", b"HTTP/1.1 408"))
        else:
            eventually(lambda: is_closed(connection), what="the server to close the connection")
        assert 1.5 < time.monotonic() - started < 10


def test_the_time_begins_anew_with_each_request_of_a_connection(
    serve: Serve,
) -> None:
    setup = "import app.operations.connections as c; c.REQUEST_SECONDS = 3"
    request = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with serve(setup=setup) as shop:
        connection = shop.connect("127.0.0.1", b"")
        began = time.monotonic()
        while time.monotonic() - began < 5:
            connection.sendall(request[:10])
            assert select.select([connection], [], [], 0.5)[0] == [], "closed too early"
            connection.sendall(request[10:])
            response = b""
            while not response.endswith(b"\r\n\r\nok\n"):
                response += connection.recv(65_536)
            assert response.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://[::1", "400 Bad Request"),
        ("http://evil.example/sign-in", "400 Bad Request"),
        ("http://localhost/sign-in", "200 OK"),
        ("/sign-in", "200 OK"),
    ],
)
def test_a_target_that_is_a_url_is_read_as_the_host_or_refused(
    serve: Serve, target: str, status: str
) -> None:
    with serve() as shop:
        request = f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        response = answer(shop.connect("127.0.0.1", request.encode()))
    assert response.startswith(f"HTTP/1.1 {status}".encode())


def test_one_client_gets_a_bounded_number_of_connections(serve: Serve) -> None:
    most = connections.MOST_PER_ADDRESS
    with serve() as shop:
        held = [shop.connect("127.0.0.2", b"P") for _ in range(most + 10)]
        eventually(lambda: all(map(is_closed, held[most:])), what="ten connections to be closed")
        assert not any(map(is_closed, held[:most]))
        assert shop.seconds_of_a_page("127.0.0.3") < 5
        for connection in held[:5]:
            connection.close()
        eventually(lambda: _is_served(shop, "127.0.0.2"), what="room for the client again")


def _is_served(shop: Shop, client: str) -> bool:
    try:
        shop.seconds_of_a_page(client)
    except (AssertionError, OSError):
        return False
    return True


def test_a_trusted_proxy_may_have_any_number(serve: Serve) -> None:
    with serve(**{"server.trusted_proxies": "127.0.0.2"}) as shop:
        held = [shop.connect("127.0.0.2", b"P") for _ in range(connections.MOST_PER_ADDRESS + 20)]
        assert shop.seconds_of_a_page("127.0.0.2") < 5
        assert not any(map(is_closed, held))


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::9", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("localhost", "localhost"),
    ],
)
def test_a_network_of_ipv6_is_one_client(address: str, client: str) -> None:
    assert client_of(address) == client


def test_counts_end_with_the_connections(caplog: pytest.LogCaptureFixture) -> None:
    counted = Connections(limit=12, proxies=networks("2001:db8::7"), headers={})
    assert counted.most == 3
    assert [counted.open("192.0.2.1") for _ in range(5)] == [True, True, True, False, False]
    assert len(caplog.messages) == 1
    assert counted.open("192.0.2.2")
    assert all(counted.open("2001:db8::7") for _ in range(5))
    for _ in range(5):
        counted.close("192.0.2.1")
    assert counted.open("192.0.2.1")


@pytest.mark.parametrize(
    ("soft", "hard", "raised", "limit"),
    [
        (1024, 4096, 4096, 1280),
        (1024, 1024, 1024, 256),
        (256, 256, 256, 100),
        (1024, 1_048_576, 65_536, 21_760),
        (1024, resource.RLIM_INFINITY, 65_536, 21_760),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None, 21_760),
        (500_000, 1_048_576, None, 21_760),
    ],
)
def test_the_limit_follows_the_file_descriptors(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, limit: int
) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits))
    assert connection_limit() == limit
    assert asked == ([] if raised in (None, soft) else [(raised, hard)])
