"""A worker's own small server: its metrics, and its health for a supervisor."""

import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from http import HTTPStatus
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST
from pyramid.registry import Registry
from waitress import wasyncore
from waitress.server import create_server

from app.operations.metrics import REFUSED, status_for, text_of
from app.operations.readiness import NotReady, require_migrated_database
from app.web.hosts import comes_from_this_machine

PLAIN = "text/plain; charset=utf-8"

StartResponse = Callable[[str, list[tuple[str, str]]], Any]


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


class WorkerServer:
    """Answers ``/metrics``, ``/healthz`` and ``/readyz`` on ``host`` and ``port``, in a thread of
    its own. Raises ``OSError`` when it cannot listen there.
    """

    def __init__(self, registry: Registry, host: str, port: int) -> None:
        self._registry = registry
        self._sockets: dict[int, Any] = {}
        self._server: Any = create_server(
            self._answer,
            map=self._sockets,
            # waitress leaves a socket open that it cannot bind.
            sockets=[socket.create_server((host, port), family=_family(host))],
            threads=2,
            # Whoever asks for one of three short pages sends little, and at once.
            max_request_body_size=1024,
            max_request_header_size=8192,
            channel_timeout=10,
            cleanup_interval=5,
            ident="",
            # These headers show that a request came through a proxy.
            clear_untrusted_proxy_headers=False,
        )
        self._thread = threading.Thread(target=self._server.run, name="metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Let answers in progress finish, close the sockets, and end the thread."""
        self._server.task_dispatcher.shutdown()
        # The thread itself closes them, because it would wait for them otherwise.
        self._server.trigger.pull_trigger(partial(wasyncore.close_all, self._sockets))
        self._thread.join(5)

    def _answer(self, environ: Mapping[str, Any], start: StartResponse) -> Iterable[bytes]:
        status, content_type, body = self._response(environ)
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
        ]
        if status.startswith("401"):
            headers.append(("WWW-Authenticate", "Bearer"))
        start(status, headers)
        return [body]

    def _response(self, environ: Mapping[str, Any]) -> tuple[str, str, bytes]:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return "405 Method Not Allowed", PLAIN, b"GET only\n"
        match environ["PATH_INFO"]:
            case "/healthz":
                return "200 OK", PLAIN, b"ok\n"
            case "/readyz":
                try:
                    require_migrated_database(self._registry)
                except NotReady as not_ready:
                    return "503 Service Unavailable", PLAIN, f"{not_ready.reason}\n".encode()
                return "200 OK", PLAIN, b"ok\n"
            case "/metrics":
                token = self._registry.pillarbox.metrics.token
                is_direct = comes_from_this_machine(environ)
                status = status_for(environ, token, is_direct=is_direct)
                if status != HTTPStatus.OK:
                    return f"{status.value} {status.phrase}", PLAIN, REFUSED.encode()
                return "200 OK", CONTENT_TYPE_LATEST, text_of(self._registry)
            case _:
                return "404 Not Found", PLAIN, b"/metrics, /healthz and /readyz\n"
