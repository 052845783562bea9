"""OAuth 2.0 access tokens for the login at the relay (RFC 6749). A token server gives them, over
verified HTTPS. They stay in this process's memory.
"""

import json
import logging
import re
import ssl
import threading
import time
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

from app.mail.smtp import sockets
from app.mail.smtp.connection import SessionFailed, describe
from app.mail.smtp.tls import web_tls_context
from app.settings.declarations import Email

log = logging.getLogger(__name__)

_SECONDS = 10.0
"""How long one request to the token server may take in all, the look-up of its name included."""
_EARLY_SECONDS = 60.0
"""How long before its end a token is renewed."""
_USUAL_LIFETIME = 3600.0
"""In seconds, for a token whose lifetime the token server does not tell."""
_LARGEST_ANSWER = 64 * 1024

_ERRORS = {
    "invalid_client": "check email.smtp_oauth_client_id and email.smtp_oauth_client_secret",
    "invalid_grant": "email.smtp_oauth_refresh_token has expired or was revoked; get a new one",
    "invalid_scope": "check email.smtp_oauth_scope",
    "unauthorized_client": "allow this client the grant at the token server",
    "invalid_request": "",
    "unsupported_grant_type": "check email.smtp_oauth_token_url",
    "temporarily_unavailable": "",
    "server_error": "",
    "access_denied": "",
    "consent_required": "an administrator has to consent to the application's permissions",
    "interaction_required": "get a new email.smtp_oauth_refresh_token by signing in",
}
"""The error codes that are repeated (RFC 6749 5.2 and those of Microsoft), with their cures."""


@dataclass(frozen=True, slots=True)
class _Client:
    """What we are at the token server. ``ca_file`` is trusted beside the system's authorities."""

    url: str
    client_id: str
    client_secret: str | None = field(repr=False)
    scope: str | None
    refresh_token: str | None = field(repr=False)
    ca_file: str | None


class Tokens:
    """The present token of a client, which all connections of the process share."""

    def __init__(self, client: _Client) -> None:
        self._client = client
        self._host = urlsplit(client.url).hostname or ""
        self._refresh_token = client.refresh_token
        self._lock = threading.Lock()
        self._token = ""
        self._ends_at = 0.0
        self._requests = 0
        """How many requests have ended."""
        self._problem = ""
        """Why the last request brought no token, or "" if it did."""

    def get(self, refused: str = "") -> str:
        """The present token, or a new one if that ends within a minute or is the one that the relay
        has ``refused``. While no new one comes, the present one is used to its end.

        Raises ``SessionFailed`` with the reason why there is no token.
        """
        seen = self._requests
        with self._lock:
            if self._token == refused:
                self._token = ""
            if not self._token or time.monotonic() >= self._ends_at - _EARLY_SECONDS:
                # A connection that waited for the lock shares the failure of the one that held it.
                if self._requests == seen or not self._problem:
                    self._renew()
                if self._problem:
                    if not self._token or time.monotonic() >= self._ends_at:
                        raise SessionFailed(f"no token from {self._host}: {self._problem}")
                    log.warning("token not renewed: server=%s reason=%s", self._host, self._problem)
            return self._token

    def _renew(self) -> None:
        asked_at = time.monotonic()
        try:
            answer = _answer_of(*self._post())
            self._token = _token_of(answer)
        except _NoToken as problem:
            self._problem = str(problem)
            # The token server may have revoked a newer one.
            self._refresh_token = self._client.refresh_token
            return
        finally:
            self._requests += 1
        lifetime = _lifetime_of(answer)
        self._problem, self._ends_at = "", asked_at + lifetime
        newer = answer.get("refresh_token")
        if self._refresh_token and isinstance(newer, str):
            self._refresh_token = newer
        log.info("token received: server=%s lifetime_seconds=%.0f", self._host, lifetime)

    def _form(self) -> dict[str, str]:
        client = self._client
        form = {
            "grant_type": "refresh_token" if self._refresh_token else "client_credentials",
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "scope": client.scope,
            "refresh_token": self._refresh_token,
        }
        return {name: value for name, value in form.items() if value}

    def _post(self) -> tuple[int, bytes]:
        """Status and body of the token server's answer."""
        deadline = time.monotonic() + _SECONDS
        try:
            return _post(self._client, self._form(), deadline)
        except sockets.LookUpFailed as error:
            raise _NoToken(str(error)) from error
        except (OSError, HTTPException) as error:
            if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
                raise _NoToken(f"no answer within {_SECONDS:g} seconds") from error
            if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
                raise _NoToken("it does not speak TLS") from error
            if isinstance(error, OSError):
                raise _NoToken(describe(error)) from error
            raise _NoToken("the answer is not HTTP, or it is cut off") from error


class _NoToken(Exception):
    """The token server gave no token. The text says why, and holds nothing secret."""


_lock = threading.Lock()


def tokens_for(settings: Email) -> Tokens | None:
    """The process's one ``Tokens`` for these settings. None: the login takes no token."""
    url, client_id = settings.smtp_oauth_token_url, settings.smtp_oauth_client_id
    if url is None or client_id is None:
        return None
    client = _Client(
        url,
        client_id,
        settings.smtp_oauth_client_secret,
        settings.smtp_oauth_scope,
        settings.smtp_oauth_refresh_token,
        settings.smtp_ca_file,
    )
    with _lock:
        return _tokens(client)


_tokens = cache(Tokens)


def _post(client: _Client, form: dict[str, str], deadline: float) -> tuple[int, bytes]:
    """Post the form, follow no redirect, and give up at the ``deadline``."""
    url = urlsplit(client.url)
    host, port = url.hostname or "", url.port or 443
    context = web_tls_context(client.ca_file)
    sock = sockets.connect(host, port, deadline - time.monotonic())
    sock.settimeout(max(deadline - time.monotonic(), 0.001))
    with context.wrap_socket(sock, server_hostname=host) as tls:
        # The socket's timeout is for each read, and an answer may trickle in.
        left = max(deadline - time.monotonic(), 0)
        timer = threading.Timer(left, sockets.abort, [tls])
        timer.daemon = True
        timer.start()
        try:
            connection = HTTPSConnection(host, port, context=context)
            connection.sock = tls
            connection.request(
                "POST",
                (url.path or "/") + (f"?{url.query}" if url.query else ""),
                urlencode(form),
                {
                    "Content-Type": "application/x-www-form-urlencoded",
                    "Accept": "application/json",
                    "Connection": "close",
                },
            )
            with connection.getresponse() as response:
                body = response.read(_LARGEST_ANSWER + 1)
        finally:
            timer.cancel()
        if time.monotonic() >= deadline:
            raise TimeoutError("timed out")
        return response.status, body


def _answer_of(status: int, body: bytes) -> dict[str, Any]:
    if len(body) > _LARGEST_ANSWER:
        raise _NoToken(f"the answer has more than {_LARGEST_ANSWER} octets")
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if status != 200:
        raise _NoToken(_refusal(status, answer))
    if not isinstance(answer, dict):
        raise _NoToken("the answer is not a JSON object; check email.smtp_oauth_token_url")
    return answer


def _refusal(status: int, answer: Any) -> str:
    """The token server's refusal in words. Of its texts only well-known words are repeated, because
    they may quote a secret.
    """
    told = answer if isinstance(answer, dict) else {}
    error = next((word for word in _ERRORS if word == told.get("error")), "")
    # Microsoft explains its codes at https://login.microsoftonline.com/error
    codes = re.findall(r"\bAADSTS[0-9]{4,8}\b", str(told.get("error_description")))
    words = " ".join(filter(None, [str(status), error, *codes[:1]]))
    cure = _ERRORS.get(error)
    if 300 <= status < 400:
        cure = "redirects are not followed, so check email.smtp_oauth_token_url"
    return f"the answer is {words}" + (f"; {cure}" if cure else "")


def _token_of(answer: dict[str, Any]) -> str:
    if str(answer.get("token_type", "Bearer")).lower() != "bearer":
        raise _NoToken("the answer holds a token of another type than Bearer")
    token = answer.get("access_token")
    if not isinstance(token, str) or not re.fullmatch("[!-~]+", token):
        raise _NoToken("the answer holds no access token; check email.smtp_oauth_token_url")
    return token


def _lifetime_of(answer: dict[str, Any]) -> float:
    """In seconds."""
    try:
        lifetime = float(answer["expires_in"])
    except (KeyError, TypeError, ValueError, OverflowError):
        return _USUAL_LIFETIME
    return lifetime if lifetime >= 0 else _USUAL_LIFETIME
