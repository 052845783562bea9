"""How long the catalogue takes while 50 clients sign in at once, beside an idle server."""

import http.client
import re
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from statistics import median, quantiles
from urllib.parse import urlencode

from app.database.engine import Database
from benchmarks.databases import Databases
from benchmarks.processes import STARTING_SECONDS, Processes
from benchmarks.table import Line, Section, number, ratio
from tests.support.accounts import PASSWORD, add_account
from tests.support.ports import free_port, is_listening
from tests.support.server_process import pillarbox
from tests.support.shop_settings import shop_settings, write_ini
from tests.support.waiting import eventually

CLIENTS = 50
LOADS = {"each from an address of its own": "own", "all from one address": "one"}
"""From one address, most sign-ins reach the limit for a network and get 429."""


def ask(
    port: int, method: str, path: str, body: str = "", **headers: str
) -> tuple[http.client.HTTPResponse, str]:
    """One request over a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    try:
        connection.request(method, path, body or None, {"Host": f"localhost:{port}", **headers})
        response = connection.getresponse()
        return response, response.read().decode()
    finally:
        connection.close()


def sign_in_without_end(port: int, load: str) -> None:
    """Let 50 clients sign in again and again, each request from its address as the proxy says."""
    response, page = ask(port, "GET", "/sign-in")
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert token
    cookie = response.headers["Set-Cookie"].partition(";")[0]
    numbers = count()

    def client(address: str) -> None:
        fields = {"csrf_token": token[1], "email": address, "password": PASSWORD}
        while True:
            high, low = divmod(next(numbers) if load == "own" else 0, 250)
            headers = {
                "Cookie": cookie,
                "Content-Type": "application/x-www-form-urlencoded",
                "X-Forwarded-For": f"10.1.{high}.{low}",
            }
            response, _ = ask(port, "POST", "/sign-in", urlencode(fields), **headers)
            assert response.status in (303, 429), response.status

    threads = [threading.Thread(target=client, args=(_address(n),)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _address(client: int) -> str:
    return f"customer{client}@example.org"


@contextmanager
def _server(databases: Databases) -> Iterator[int]:
    """The port of a new server that trusts this machine as a proxy, with 50 accounts."""
    port, url = free_port(), databases.new("SQLite")
    database = Database(url)
    for client in range(CLIENTS):
        add_account(database, _address(client))
    database.dispose()
    settings = shop_settings(url, base_url=f"http://localhost:{port}")
    settings["server.trusted_proxies"] = "127.0.0.1"
    ini = write_ini(databases.folder / f"{port}.ini", settings, port=port, log_level="ERROR")
    with Processes(pillarbox("serve", ini), log=databases.folder / f"{port}.log") as server:

        def answers() -> bool:
            server.check()
            return is_listening(port)

        eventually(answers, STARTING_SECONDS, "the server to start")
        yield port


def _milliseconds(port: int, requests: int) -> list[float]:
    """How long the catalogue takes, each time it is asked for."""
    taken = []
    for _ in range(requests):
        begun = time.perf_counter()
        response, _ = ask(port, "GET", "/")
        taken.append((time.perf_counter() - begun) * 1000)
        assert response.status == 200, response.status
        time.sleep(0.02)
    return taken


def run(databases: Databases, *, quick: bool) -> Section:
    """Measure one server, first idle and then under each load."""
    warm_up, rounds = (1, 3) if quick else (20, 100)
    taken: dict[str, list[float]] = {}
    for title, load in LOADS.items():
        with _server(databases) as port:
            _milliseconds(port, warm_up)
            taken.setdefault("idle", _milliseconds(port, rounds))
            command = [sys.executable, "-m", "benchmarks.sign_ins", str(port), load]
            with Processes(command, log=databases.folder / f"{port}-clients.log") as clients:
                time.sleep(1)
                taken[title] = _milliseconds(port, rounds)
                clients.check()
    idle = median(taken["idle"])
    return Section(
        "GET / while 50 clients sign in, ...",
        ["median ms", "p95 ms", "ratio"],
        [
            Line(
                who,
                [
                    number(median(each)),
                    number(quantiles(each, n=20)[-1]),
                    ratio(median(each) / idle),
                ],
            )
            for who, each in taken.items()
        ],
        "under load <= 3 x idle",
    )


if __name__ == "__main__":
    sign_in_without_end(int(sys.argv[1]), sys.argv[2])
