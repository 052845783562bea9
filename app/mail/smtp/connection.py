"""Connection: one SMTP connection, its deadlines, and reading replies.

``smtplib`` knows the commands. This class adds a deadline for each whole reply instead of for each
read, and a count of the octets that were sent.
"""

import re
import smtplib
import socket
import ssl
import time
from select import select as wait_readable
from typing import Any

from app.mail.smtp import sockets
from app.mail.smtp.reply_text import Reply
from app.settings.hosts import address_literal, is_domain

_TLS_RECORD = 16 * 1024
"""The most octets that one TLS record holds (RFC 8446 5.1). A larger piece would be sent as several
records, and it would count as unsent until the last of them is.
"""
_LONGEST_REPLY = 64 * 1024
"""The most lines of a reply, and the most octets of one line."""
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)


class SessionFailed(smtplib.SMTPException):
    """The relay refused a command, or lacks what we need, so the session cannot go on."""

    def __init__(self, problem: str, reply: tuple[int, bytes] | None = None) -> None:
        self.reply = None if reply is None else Reply(*reply)
        super().__init__(problem if self.reply is None else f"{problem}: {self.reply}")


class Connection(smtplib.SMTP):
    """smtplib's commands on a socket of our own, which is closed by the caller after any error.

    The methods raise ``OSError``, of which smtplib's exceptions are subclasses.
    """

    def __init__(self, timeout: float, hello: str | None = None) -> None:
        """``timeout``: the seconds to wait for the connection and for each reply. ``hello``: the
        name of this machine in EHLO; None: the one that it gives itself, or else its address.
        """
        super().__init__(timeout=timeout, local_hostname=hello or _own_name())
        self.peer = "", 0
        """The relay's host and port, as the settings name them."""
        self._buffer = b""
        self._buffer_socket: socket.socket | None = None
        """The socket that ``_buffer`` was read from."""
        self.sent = 0
        """How many octets of the last ``send_all`` the operating system has taken."""

    @property
    def is_open(self) -> bool:
        return self.sock is not None

    def open(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        """Connect, with TLS from the first octet if ``context`` is given."""
        self.peer = host, port
        deadline = time.monotonic() + self.timeout
        self.sock = sock = sockets.connect(host, port, self.timeout)
        self.local_hostname = self.local_hostname or address_literal(sock.getsockname()[0])
        if context is not None:
            sock.settimeout(max(deadline - time.monotonic(), 0.001))
            self.sock = context.wrap_socket(sock, server_hostname=host)

    def greet(self, *, needs_ehlo: bool) -> None:
        """Send EHLO, or HELO to a relay that does not know it. ``needs_ehlo``: the session needs
        what only a reply to EHLO offers. Raises ``SessionFailed`` when the relay refuses.
        """
        reply = self.ehlo()
        if reply[0] in (500, 502) and not needs_ehlo:
            reply = self.helo()
        expect(reply, 2)

    def start_tls(self, context: ssl.SSLContext) -> None:
        """Begin TLS by STARTTLS. The caller greets the relay anew, because what it offered
        before does not count (RFC 3207 4.2). Raises ``SessionFailed`` when the relay does not offer
        STARTTLS, or refuses it.
        """
        if not self.has_extn("starttls"):
            raise SessionFailed("the relay does not offer STARTTLS")
        reply = self.docmd("STARTTLS")
        if reply[0] != 220 or self.sock is None:
            raise SessionFailed("the relay refused", reply)
        self.sock.settimeout(self.timeout)
        self.sock = context.wrap_socket(self.sock, server_hostname=self.peer[0])

    def send(self, data: Any) -> None:
        """Send a command; smtplib calls this."""
        self.send_all(data.encode() if isinstance(data, str) else data, self.timeout)

    def send_all(self, data: bytes, seconds: float) -> None:
        """Send ``data`` within ``seconds``. After an error, ``sent`` tells how much was sent."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        deadline = time.monotonic() + seconds
        self.sent = 0
        view = memoryview(data)
        while self.sent < len(data):
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            self.sent += self.sock.send(view[self.sent : self.sent + _TLS_RECORD])

    def getreply(self, seconds: float | None = None) -> Reply:
        """Read one whole reply within ``seconds`` (None: the timeout of the connection).

        Raises ``TimeoutError`` when it does not arrive in time, and ``SMTPServerDisconnected`` when
        the relay closes the connection or sends something else than a reply.
        """
        deadline = time.monotonic() + (self.timeout if seconds is None else seconds)
        lines: list[bytes] = []
        while True:
            match = _REPLY_LINE.fullmatch(self._line(deadline))
            if match is None or len(lines) > _LONGEST_REPLY:
                raise smtplib.SMTPServerDisconnected("the relay's reply is not SMTP")
            lines.append(match[3])
            if match[2] != b"-":
                return Reply(int(match[1]), b"\n".join(lines))

    def has_reply(self, seconds: float) -> bool:
        """Whether a reply, or the end of the connection, begins to arrive within ``seconds``."""
        if b"\n" in self._buffer:
            return True
        if self.sock is None:
            return False
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return bool(wait_readable([self.sock], [], [], seconds)[0])

    def reply_before_loss(self) -> Reply | None:
        """The reply that the relay sent before it closed the connection, if it sent one."""
        try:
            return self.getreply(0.5) if self.has_reply(0) else None
        except (OSError, ValueError):
            return None

    def abort(self) -> None:
        """Break the connection from another thread. Who waits for a reply gets an error at once."""
        sock = self.sock
        if sock is not None:
            sockets.abort(sock)

    def _line(self, deadline: float) -> bytes:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        if self._buffer_socket is not self.sock:
            # STARTTLS has replaced the socket. An attacker may have put octets into the part
            # without TLS, so what was read there is dropped.
            self._buffer, self._buffer_socket = b"", self.sock
        while b"\n" not in self._buffer:
            if len(self._buffer) > _LONGEST_REPLY:
                raise smtplib.SMTPServerDisconnected("the relay's reply does not end")
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self.sock.settimeout(left)
            chunk = self.sock.recv(8192)
            if not chunk:
                raise smtplib.SMTPServerDisconnected("the relay closed the connection")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.rstrip(b"\r")


def _own_name() -> str:
    """The name that this machine gives itself, or "" if a strict relay would refuse it in EHLO."""
    name = socket.gethostname()
    return name if "." in name and is_domain(name) else ""


def expect(reply: tuple[int, bytes], first_digit: int) -> None:
    """Raise ``SessionFailed`` unless the reply's code begins with ``first_digit``."""
    if reply[0] // 100 != first_digit:
        raise SessionFailed("the relay refused", reply)


def describe(error: OSError) -> str:
    """What went wrong with a connection, in a few words for the operator."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "the relay did not begin with TLS; is email.smtp_security = starttls meant?"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error.strerror or type(error).__name__}"
    return error.strerror or str(error) or type(error).__name__
