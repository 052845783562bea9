"""A small OAuth 2.0 token server: HTTPS, both grants, and the ways in which one fails."""

import json
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl

from tests.support.certificates import Certificate

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "shop-client", "s3same~open", "r3fresh-me"
SCOPE = "https://relay.example.org/.default"

Answer = tuple[int, Any]
"""Status and body: JSON of whatever it is, or bytes as they are."""


@dataclass
class TokenServer:
    """Gives ``token-1``, ``token-2`` and so on to a client with the right secret."""

    certificate: Certificate
    answers: list[Answer] = field(default_factory=list)
    """Given in place of tokens, one after the other."""
    before: Callable[[], object] = field(default=lambda: None)
    """Called with every request before the answer."""
    headers: dict[str, str] = field(default_factory=dict)
    lifetime: Any = 3600
    trickles: bool = False
    """Whether an answer comes one octet at a time, without end."""
    requests: list[dict[str, str]] = field(default_factory=list)
    """The form of every request."""
    live: set[str] = field(default_factory=set)
    """The tokens that a relay takes."""

    def __enter__(self) -> Self:
        self.ended = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.tokens = self  # type: ignore[attr-defined]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        # The handshake belongs to the thread of each connection.
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._server.server_address[1]}/tenant/oauth2/token?v=2"

    def settings(self, refresh_token: str = "") -> dict[str, str]:
        """The settings of a client that logs in with tokens of this server."""
        return {
            "email.smtp_password": "",
            "email.smtp_oauth_token_url": self.url,
            "email.smtp_oauth_client_id": CLIENT_ID,
            "email.smtp_oauth_client_secret": CLIENT_SECRET,
            "email.smtp_oauth_scope": SCOPE,
            "email.smtp_oauth_refresh_token": refresh_token,
        }

    def answer(self, form: dict[str, str]) -> Answer:
        self.requests.append(form)
        self.before()
        if self.answers:
            return self.answers.pop(0)
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            return 401, {"error": "invalid_client", "error_description": f"no {form}"}
        if form["grant_type"] == "refresh_token" and form["refresh_token"] != REFRESH_TOKEN:
            return 400, {"error": "invalid_grant", "error_description": f"no {form}"}
        token = f"token-{len(self.requests)}"
        self.live.add(token)
        answer = {"token_type": "Bearer", "access_token": token, "expires_in": self.lifetime}
        return 200, {name: value for name, value in answer.items() if value is not None}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        tokens: TokenServer = self.server.tokens  # type: ignore[attr-defined]
        length = int(self.headers["Content-Length"])
        form = dict(parse_qsl(self.rfile.read(length).decode(), strict_parsing=True))
        status, body = tokens.answer(form)
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in tokens.headers.items():
            self.send_header(name, value)
        if tokens.trickles:
            self.end_headers()
            self.close_connection = True
            while not tokens.ended.wait(0.02):
                self.wfile.write(b" ")
            return
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *_: object) -> None:
        """The tests read what the client logs."""

    def handle(self) -> None:
        # A client that does not trust the certificate, or gave up, ends the connection.
        try:
            super().handle()
        except OSError:
            self.close_connection = True

    def finish(self) -> None:
        try:
            super().finish()
        except OSError:
            self.close_connection = True
