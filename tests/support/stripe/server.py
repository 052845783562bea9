"""The HTTP server: the API below ``/v1/`` and the hosted page below ``/c/pay/``."""

import json
import socket
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.stripe import page
from tests.support.stripe.api import Api
from tests.support.stripe.faults import Dropped
from tests.support.stripe.parameters import decode
from tests.support.stripe.state import API_VERSION, Request


class Server(ThreadingHTTPServer):
    """``stop`` closes the port and every connection; ``start`` opens the same port again."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, api: Api, port: int = 0) -> None:
        self.api = api
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
        for connection in list(self.connections):
            cut(connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)


def cut(connection: socket.socket) -> None:
    """End a connection. Whoever reads from it finds its end at once."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: Server

    def do_GET(self) -> None:
        self._take("GET")

    def do_POST(self) -> None:
        self._take("POST")

    def _take(self, method: str) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        if url.path.startswith(page.PATH):
            self._show_page(method, url.path.removeprefix(page.PATH), body)
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        params = decode(url.query if method == "GET" else body)
        request = Request(method, url.path, params, headers)
        self.server.api.state.requests.append(request)
        try:
            answer = self.server.api.answer(request)
        except Dropped:
            self.close_connection = True
            cut(self.connection)
            return
        sent = {
            "Content-Type": "application/json",
            "Request-Id": answer.request_id,
            "Stripe-Version": API_VERSION,
        }
        if request.idempotency_key and method == "POST":
            sent["Idempotency-Key"] = request.idempotency_key
            if answer.status >= 500:
                # A second try would only get the stored answer.
                sent["Stripe-Should-Retry"] = "false"
        if answer.is_replayed:
            sent |= {"Idempotent-Replayed": "true", "Original-Request": answer.request_id}
        self._send(answer.status, json.dumps(answer.body), sent)

    def _show_page(self, method: str, id: str, body: str) -> None:
        state = self.server.api.state
        with state.lock:
            if method == "POST":
                target = page.press(state, id, parse_qs(body).get("button", [""])[0])
                self._send(303, "", {"Location": target})
            else:
                status, html = page.show(state, id)
                self._send(status, html, {"Content-Type": "text/html; charset=utf-8"})

    def _send(self, status: int, body: str, headers: dict[str, str]) -> None:
        octets = body.encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_: object) -> None:
        """The tests read what the client logs."""

    def handle(self) -> None:
        # A client that gave up has closed the connection.
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True
