"""A worker's own small server: who may read its metrics, and whether it is ready."""

from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPResponse

import pytest
from pyramid.router import Router

from app.migrations import migrate
from app.operations.worker_server import WorkerServer
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.ports import free_port

pytestmark = on_sqlite
TOKEN = "t" * 32
Ask = Callable[..., tuple[HTTPResponse, str]]


@pytest.fixture
def ask_worker() -> Iterator[Callable[[Router], Ask]]:
    """Starts the server of a worker, and returns what asks it: for a path, with headers."""
    servers: list[WorkerServer] = []

    def start(app: Router) -> Ask:
        port = free_port()
        server = WorkerServer(app.registry, "127.0.0.1", port)
        servers.append(server)
        server.start()

        def ask(path: str, **headers: str) -> tuple[HTTPResponse, str]:
            with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                return response, response.read().decode()

        return ask

    yield start
    for server in servers:
        server.stop()


PROXIED = [
    {"X-Forwarded-For": "192.0.2.7"},
    {"Forwarded": "for=192.0.2.7"},
    {"Via": "1.1 proxy"},
    {"Host": "evil.example"},
]


@pytest.mark.parametrize("headers", PROXIED)
def test_without_a_token_only_this_machine_reads_its_metrics(
    app: Router, ask_worker: Callable[[Router], Ask], headers: dict[str, str]
) -> None:
    ask = ask_worker(app)
    response, text = ask("/metrics")
    assert (response.status, "pillarbox_queue_emails" in text) == (200, True)
    response, text = ask("/metrics", **headers)
    assert (response.status, "pillarbox_" in text) == (403, False)
    assert response.getheader("WWW-Authenticate") is None


@pytest.mark.parametrize("headers", PROXIED)
def test_with_a_token_others_read_them_too(
    make_app: MakeApp,
    settings_values: dict[str, str],
    ask_worker: Callable[[Router], Ask],
    headers: dict[str, str],
) -> None:
    ask = ask_worker(make_app(settings_values | {"metrics.token": TOKEN}))
    response, _ = ask("/metrics", **headers)
    assert (response.status, response.getheader("WWW-Authenticate")) == (401, "Bearer")
    assert ask("/metrics", Authorization=f"Bearer {TOKEN[1:]}", **headers)[0].status == 401
    response, text = ask("/metrics", Authorization=f"Bearer {TOKEN}", **headers)
    assert (response.status, "pillarbox_queue_emails" in text) == (200, True)


def test_it_is_ready_once_the_database_has_the_tables(
    app: Router, ask_worker: Callable[[Router], Ask]
) -> None:
    ask = ask_worker(app)
    assert ask("/readyz")[0].status == 200
    migrate(app.registry.database.engine, "base")
    response, text = ask("/readyz")
    assert (response.status, text) == (503, "database not migrated\n")
    assert ask("/healthz")[0].status == 200
    assert "pillarbox_database_reachable 0.0" in ask("/metrics")[1]


def test_a_large_body_is_refused(app: Router, ask_worker: Callable[[Router], Ask]) -> None:
    response, _ = ask_worker(app)("/metrics", **{"Content-Length": "1000000000"})
    assert response.status == 413
