"""How long POST /sign-up takes while the relay is healthy, slow, or hung."""

import http.client
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median, quantiles
from urllib.parse import urlencode

from benchmarks.databases import Databases
from benchmarks.processes import STARTING_SECONDS, Processes
from benchmarks.settings import settings_for
from benchmarks.sink import HUNG, Sink
from benchmarks.table import Line, Section, number, ratio
from tests.support.ports import free_port, is_listening
from tests.support.server_process import pillarbox
from tests.support.shop_settings import write_ini
from tests.support.waiting import eventually

RELAYS = {"healthy": 0.0, "slow: 2 s a round trip": 2.0, "hung": HUNG}
"""The seconds of a round trip to each relay."""


class Visitor:
    """A browser that signs up. Each request comes from another IP address, so that no limit per
    client applies.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._number = 0
        response, page = self._ask("GET", "/sign-up")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
        assert token
        self._token = token[1]
        self._cookie = response.headers["Set-Cookie"].partition(";")[0]

    def sign_up(self) -> float:
        """Sign up with a new address, and return how many seconds it took."""
        self._number += 1
        fields = {
            "csrf_token": self._token,
            "email": f"visitor{self._number}@example.org",
            "password": "a lovely long passphrase",
        }
        begun = time.perf_counter()
        response, _ = self._ask("POST", "/sign-up", urlencode(fields))
        seconds = time.perf_counter() - begun
        assert response.status == 303, f"sign-up answered {response.status}"
        return seconds

    def _ask(self, method: str, path: str, body: str = "") -> tuple[http.client.HTTPResponse, str]:
        high, low = divmod(self._number, 250)
        connection = http.client.HTTPConnection(
            "127.0.0.1", self._port, timeout=30, source_address=(f"127.1.{high}.{low + 1}", 0)
        )
        headers = {"Host": f"localhost:{self._port}"}
        if body:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            headers["Cookie"] = self._cookie
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response, response.read().decode()
        finally:
            connection.close()


@contextmanager
def _visited(databases: Databases, round_trip: float) -> Iterator[Visitor]:
    """A visitor of a new server, whose relay has this round trip in seconds."""
    port, url = free_port(), databases.new("SQLite")
    with Sink(round_trip=round_trip) as sink:
        settings = settings_for(url, sink, port=port)
        ini = write_ini(databases.folder / f"{port}.ini", settings, port=port, log_level="WARNING")
        log = databases.folder / f"{port}.log"
        with Processes(pillarbox("serve", ini), log=log) as server:
            eventually(lambda: _answers(server, port), STARTING_SECONDS, "the server to start")
            yield Visitor(port)


def _answers(server: Processes, port: int) -> bool:
    server.check()
    return is_listening(port)


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure one server for each relay, in turn."""
    warm_up, rounds = (1, 3) if quick else (20, 300)
    with ExitStack() as stack:
        visitors = {
            relay: stack.enter_context(_visited(databases, round_trip))
            for relay, round_trip in RELAYS.items()
        }
        seconds: dict[str, list[float]] = {relay: [] for relay in RELAYS}
        for number_ in range(warm_up + rounds):
            order = list(RELAYS)
            for relay in order[number_ % 3 :] + order[: number_ % 3]:
                taken = visitors[relay].sign_up()
                if number_ >= warm_up:
                    seconds[relay].append(taken * 1000)
    p95 = {relay: quantiles(taken, n=20)[-1] for relay, taken in seconds.items()}
    return Section(
        "POST /sign-up while the relay is ...",
        ["median ms", "p95 ms", "p95 ratio"],
        [
            Line(
                relay,
                [number(median(taken)), number(p95[relay]), ratio(p95[relay] / p95["healthy"])],
            )
            for relay, taken in seconds.items()
        ],
        "hung <= 1.1 x healthy",
    )
