"""Mailer: the SMTP client. It hands messages to a relay, one after the other, over one kept
connection, with PIPELINING where the relay offers it (RFC 2920).
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from app.mail.smtp.connection import Connection, SessionFailed, describe, expect
from app.mail.smtp.envelope import Envelope, offer_envelope
from app.mail.smtp.login import log_in, log_in_with_token
from app.mail.smtp.oauth import Tokens, tokens_for
from app.mail.smtp.replies import Outcome, Phase, Verdict, verdict_of
from app.mail.smtp.tls import tls_context
from app.settings.declarations import Email

_TRUSTED_SECONDS = 10.0
"""A connection that was idle for longer is checked before use."""
_QUIT_SECONDS = 2.0
_LOGIN_REFUSED = 535


class RelayUnavailable(Exception):
    """No connection is ready: the relay is unreachable or unverified, it refused the login, or
    there is no token to log in with. No message was tried.
    """

    def __init__(self, phase: Phase, error: OSError) -> None:
        super().__init__(f"{phase}: {describe(error)}")
        reply = error.reply if isinstance(error, SessionFailed) else None
        self.is_quota = reply is not None and verdict_of(reply, phase).outcome is Outcome.QUOTA
        self.is_refused_login = (
            reply is not None and phase is Phase.AUTH and reply.code == _LOGIN_REFUSED
        )


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How many seconds to wait (RFC 5321 4.5.3.2)."""

    command: float = 30
    """For the connection, for a command to be sent, and for its reply."""
    body: float = 180
    """For the message to be sent."""
    verdict: float = 600
    """For the reply to the final dot."""


class Mailer:
    """One connection to one relay. It is opened when needed, kept, and closed after any error.

    Two threads must not use a mailer at once; only ``abort`` may be called from another thread.
    """

    def __init__(self, settings: Email, timeouts: Timeouts | None = None) -> None:
        self._settings = settings
        self._timeouts = timeouts or Timeouts()
        self._connection: Connection | None = None
        self._handed_over = 0
        self._used_at = 0.0
        self._sent_ahead: Envelope | None = None
        """The envelope whose commands were sent right behind the last message's final dot."""

    @property
    def is_connected(self) -> bool:
        return self._connection is not None and self._connection.is_open

    @property
    def is_fresh(self) -> bool:
        """Whether this connection has carried no message yet. To lose a fresh connection may be
        the message's fault; an older one may have ended for its age.
        """
        return self._handed_over == 0

    def connect(self) -> None:
        """Make a connection ready, or check the kept one. Raises ``RelayUnavailable``, and
        ``ValueError`` when ``email.smtp_server`` is not set.
        """
        if self.is_connected and (self._sent_ahead is not None or self._is_alive()):
            return
        self.close()
        if self._settings.smtp_server is None:
            raise ValueError("email.smtp_server is not set")
        tokens = tokens_for(self._settings)
        token = self._token(tokens)
        try:
            self._open_session(token)
        except RelayUnavailable as refusal:
            # A token that was revoked is refused before its end. A new one is tried once.
            if token is None or not refusal.is_refused_login:
                raise
            self._open_session(self._token(tokens, refused=token))
        self._handed_over = 0
        self._used_at = time.monotonic()

    def _token(self, tokens: Tokens | None, refused: str = "") -> str | None:
        with self._reaching(Phase.AUTH):
            return None if tokens is None else tokens.get(refused)

    def _open_session(self, token: str | None) -> None:
        """Connect, and log in with the ``token`` or with the password, whichever there is."""
        settings = self._settings
        security, username = settings.smtp_security, settings.smtp_username
        context = None if security == "none" else tls_context(settings.smtp_ca_file)
        needs_ehlo = security == "starttls" or username is not None
        connection = Connection(self._timeouts.command, settings.smtp_hello)
        self._connection = connection
        with self._reaching(Phase.CONNECT):
            connection.open(
                settings.smtp_server or "",
                settings.smtp_port,
                context if security == "tls" else None,
            )
        with self._reaching(Phase.GREETING):
            expect(connection.getreply(), 2)
        with self._reaching(Phase.EHLO):
            connection.greet(needs_ehlo=needs_ehlo)
        if context is not None and security == "starttls":
            with self._reaching(Phase.STARTTLS):
                connection.start_tls(context)
            with self._reaching(Phase.EHLO):
                connection.greet(needs_ehlo=needs_ehlo)
        with self._reaching(Phase.AUTH):
            if token is not None:
                log_in_with_token(connection, username or "", token)
            elif username is not None:
                log_in(connection, username, settings.smtp_password or "")

    @contextmanager
    def _reaching(self, phase: Phase) -> Iterator[None]:
        """Turn an error of the block into ``RelayUnavailable``, and close the connection."""
        try:
            yield
        except OSError as error:
            self.close()
            raise RelayUnavailable(phase, error) from error

    def _is_alive(self) -> bool:
        """Whether the kept connection can be used. One that was idle is checked with a NOOP."""
        if time.monotonic() - self._used_at < _TRUSTED_SECONDS:
            return True
        try:
            code, _ = self._ready().docmd("NOOP")
        except OSError:
            return False
        self._used_at = time.monotonic()
        return code // 100 == 2

    def certificate_ends_at(self) -> datetime | None:
        """When the certificate of the relay ends. None without a connection or without TLS."""
        sock = None if self._connection is None else self._connection.sock
        if not isinstance(sock, ssl.SSLSocket):
            return None
        certificate = sock.getpeercert() or {}
        seconds = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        return datetime.fromtimestamp(seconds, UTC)

    def close(self) -> None:
        """Close the connection without a QUIT."""
        self._sent_ahead = None
        if self._connection is not None:
            self._connection.close()

    def withdraw(self) -> None:
        """Close the connection if it waits for the message of an envelope that was sent ahead."""
        if self._sent_ahead is not None:
            self.close()

    def abort(self) -> None:
        """Break the connection from another thread, so that a wait for the relay ends at once."""
        if self._connection is not None:
            self._connection.abort()

    def quit(self) -> None:
        if self._connection is not None:
            # Every message has its verdict already, so an error here changes nothing.
            with suppress(OSError):
                self._connection.send_all(b"QUIT\r\n", _QUIT_SECONDS)
                self._connection.getreply(_QUIT_SECONDS)
        self.close()

    def offer(self, envelope: Envelope) -> Verdict | None:
        """Send the envelope. None: the relay waits for the message. A verdict: the relay does not
        take the message, or the connection is lost.
        """
        connection = self._ready()
        sent_ahead, self._sent_ahead = self._sent_ahead, None
        if sent_ahead is None:
            problem = envelope.problem(connection.esmtp_features)
            if problem is not None:
                return Verdict(Outcome.REFUSED, Phase.MAIL, problem)
        elif sent_ahead != envelope:
            raise ValueError("another envelope was sent ahead")
        verdict = offer_envelope(
            connection, envelope, self._timeouts.command, is_sent=sent_ahead is not None
        )
        if verdict is not None:
            self._used_at = time.monotonic()
        return verdict

    def transmit(self, message: bytes, next_envelope: Envelope | None = None) -> Verdict:
        """Send the message and its final dot, and wait for the verdict.

        Where the relay offers PIPELINING, the commands of ``next_envelope`` are sent right behind
        the dot; ``offer`` must get this envelope next.
        """
        connection = self._ready()
        data = _with_final_dot(message)
        size = len(data)
        extensions = connection.esmtp_features
        if (
            next_envelope is not None
            and "pipelining" in extensions
            and next_envelope.problem(extensions) is None
        ):
            data += b"".join(next_envelope.commands(extensions).values())
            self._sent_ahead = next_envelope
        try:
            connection.send_all(data, self._timeouts.body)
            reply = connection.getreply(self._timeouts.verdict)
        except OSError as error:
            last = connection.reply_before_loss()
            self.close()
            dot_is_sent = connection.sent >= size
            phase = Phase.VERDICT if dot_is_sent else Phase.BODY
            if last is not None and (dot_is_sent or last.code >= 400):
                return verdict_of(last, phase)
            outcome = Outcome.IN_DOUBT if dot_is_sent else Outcome.LOST
            return Verdict(outcome, phase, describe(error))
        self._used_at = time.monotonic()
        self._handed_over += 1
        verdict = verdict_of(reply, Phase.VERDICT)
        if verdict.ends_connection:
            self.close()
        return verdict

    def has_reply(self, seconds: float) -> bool:
        """Whether a reply to the envelope that was sent ahead begins to arrive within ``seconds``.
        Without such an envelope: False, at once.
        """
        return self._sent_ahead is not None and self._ready().has_reply(seconds)

    def _ready(self) -> Connection:
        if self._connection is None or not self._connection.is_open:
            raise RuntimeError("connect() first")
        return self._connection


def _with_final_dot(message: bytes) -> bytes:
    """``message`` as it follows DATA: with a dot doubled where it begins a line, and with the final
    dot (RFC 5321 4.5.2).
    """
    data = b"." + message if message.startswith(b".") else message
    return data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
