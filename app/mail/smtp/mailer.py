"""Mailer: the SMTP client. It hands one message after the other to a relay over a kept, verified
connection.

``smtplib`` knows the commands; what it lacks is here: a verified certificate always, one TLS
context per process, TCP_NODELAY, replies read against a deadline, PIPELINING, and a verdict that
tells "not taken" from "nobody knows".
"""

import base64
import re
import smtplib
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from select import select as wait_readable
from typing import Any, Self

from app.settings.declarations import Email


class Phase(StrEnum):
    """How far the dialogue with the relay got (RFC 5321 3)."""

    CONNECT = "connect"
    GREETING = "greeting"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    VERDICT = "verdict"
    """The final dot is out; only the reply to it is missing."""


class Outcome(StrEnum):
    """What a try to hand over one message came to."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """5xx: it will never be taken."""
    DEFERRED = "deferred"
    """4xx: later, perhaps."""
    SLOWED = "slowed"
    """The relay wants a rest from everybody: 421, or 450 and 451 about the rate. Says nothing about
    this message.
    """
    LOST = "lost"
    """The connection was lost before the final dot: not taken."""
    IN_DOUBT = "in doubt"
    """The connection was lost after the final dot: nobody knows."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome for one message, the phase it was reached in, and the relay's own words."""

    outcome: Outcome
    phase: Phase
    reply: str
    code: int | None = None
    enhanced_code: str | None = None

    @property
    def ends_connection(self) -> bool:
        """Whether the connection is closed now."""
        return self.outcome in (Outcome.SLOWED, Outcome.LOST, Outcome.IN_DOUBT)


class RelayUnavailable(Exception):
    """No connection to the relay could be made ready: unreachable, unverified, or it refused the
    login. No message was tried.
    """

    def __init__(self, phase: Phase, reason: str, without_words: str | None = None) -> None:
        super().__init__(f"{phase}: {reason}")
        self.phase = phase
        self.reason = reason
        self.without_words = f"{phase}: {without_words or reason}"
        """The same without what the relay said, as a log may hold it."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """Who sends to whom, and how many octets will follow."""

    sender: str
    recipient: str
    size: int

    @property
    def needs_utf8(self) -> bool:
        return not (self.sender + self.recipient).isascii()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds to wait: for connections and replies, for the body to leave, and for the reply to the
    final dot (RFC 5321 4.5.3.2).
    """

    command: float = 30
    body: float = 180
    verdict: float = 600


class Mailer:
    """One connection to one relay, opened when needed and closed after any error. Not for use by
    two threads at once.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        username: str | None = None,
        password: str | None = None,
        security: str = "starttls",
        ca_file: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.host, self.port = host, port
        self._username, self._password = username, password
        self._security, self._ca_file = security, ca_file
        self._timeouts = timeouts or Timeouts()
        self._smtp: _Connection | None = None
        self._handed_over = 0
        self._used_at = 0.0
        self._offered: Envelope | None = None
        """The envelope whose commands went out behind the last final dot."""

    @classmethod
    def from_settings(cls, email: Email, timeouts: Timeouts | None = None) -> Self:
        """The mailer for the relay of the settings; ``email.smtp_server`` must be set."""
        if email.smtp_server is None:
            raise ValueError("email.smtp_server is not set")
        return cls(
            email.smtp_server,
            email.smtp_port,
            username=email.smtp_username,
            password=email.smtp_password,
            security=email.smtp_security,
            ca_file=email.smtp_ca_file,
            timeouts=timeouts,
        )

    def send(self, sender: str, recipient: str, message: bytes) -> Verdict:
        """Hand over one message. Raises ``RelayUnavailable`` when no connection can be made."""
        self.connect()
        return self.offer(Envelope(sender, recipient, len(message))) or self.transmit(message)

    # --- The connection -------------------------------------------------------

    @property
    def is_connected(self) -> bool:
        return self._smtp is not None

    @property
    def is_fresh(self) -> bool:
        """Whether no message was handed over yet on this connection, so that losing it says
        something about the message.
        """
        return self._handed_over == 0

    def connect(self) -> None:
        """Make a connection ready, or check the kept one. Raises ``RelayUnavailable``."""
        kept = self._smtp
        if kept is not None and (self._offered is not None or self._is_alive(kept)):
            return
        self.close()
        phase = Phase.CONNECT
        try:
            smtp = _Connection(self._timeouts.command)
            self._smtp = smtp
            context = None if self._security == "none" else tls_context(self._ca_file)
            smtp.open(self.host, self.port, context if self._security == "tls" else None)
            phase = Phase.GREETING
            _expect(smtp.getreply(), 2)
            phase = Phase.EHLO
            self._greet(smtp)
            if self._security == "starttls":
                phase = Phase.STARTTLS
                if not smtp.has_extn("starttls"):
                    raise _Unfit("the relay does not offer STARTTLS")
                _expect(smtp.starttls(context=context), 2)
                phase = Phase.EHLO
                self._greet(smtp)
            if self._username is not None:
                phase = Phase.AUTH
                self._login(smtp, self._username, self._password or "")
        except (OSError, smtplib.SMTPException, _Unfit) as error:
            self.close()
            without_words = error.without_words if isinstance(error, _Unfit) else None
            raise RelayUnavailable(phase, _in_words(error), without_words) from error
        self._handed_over = 0
        self._used_at = time.monotonic()

    def _is_alive(self, smtp: "_Connection") -> bool:
        """A connection that idled is asked with a NOOP before it is trusted."""
        if time.monotonic() - self._used_at < _TRUSTED_SECONDS:
            return True
        try:
            code, _ = smtp.docmd("NOOP")
        except (OSError, smtplib.SMTPException):
            return False
        self._used_at = time.monotonic()
        return code // 100 == 2

    def _greet(self, smtp: "_Connection") -> None:
        reply = smtp.ehlo()
        if reply[0] in (500, 502) and self._security != "starttls" and self._username is None:
            reply = smtp.helo()
        _expect(reply, 2)

    def _login(self, smtp: "_Connection", username: str, password: str) -> None:
        """AUTH PLAIN (RFC 4616) or LOGIN, in UTF-8. Other mechanisms add nothing inside verified
        TLS, and without it we never log in.
        """
        if not isinstance(smtp.sock, ssl.SSLSocket):
            raise _Unfit("a password is never sent without TLS")
        offered = smtp.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            reply = smtp.docmd("AUTH", "PLAIN " + _base64(f"\0{username}\0{password}"))
        elif "LOGIN" in offered:
            _expect(smtp.docmd("AUTH", "LOGIN"), 3)
            _expect(smtp.docmd(_base64(username)), 3)
            reply = smtp.docmd(_base64(password))
        else:
            raise _Unfit("the relay offers neither AUTH PLAIN nor AUTH LOGIN")
        if reply[0] != 235:
            raise _Unfit("the relay refused the login", reply)

    def close(self) -> None:
        """Close the connection without a word."""
        smtp, self._smtp, self._offered = self._smtp, None, None
        if smtp is not None:
            smtp.close()

    def withdraw(self) -> None:
        """End a connection on which an envelope was put forward that nobody will follow up."""
        if self._offered is not None:
            self.close()

    def abort(self) -> None:
        """Break the connection from another thread: whoever waits for the relay gets its verdict at
        once.
        """
        smtp = self._smtp
        if smtp is not None:
            smtp.abort()

    def quit(self) -> None:
        """Say goodbye and close."""
        if self._smtp is not None:
            # Nothing hangs on the goodbye: every message has its verdict.
            with suppress(OSError, smtplib.SMTPException):
                self._smtp.send_all(b"QUIT\r\n", _GOODBYE_SECONDS)
                self._smtp.getreply(_GOODBYE_SECONDS)
        self.close()

    # --- One message ----------------------------------------------------------

    def offer(self, envelope: Envelope) -> Verdict | None:
        """Put the envelope to the relay. None: it waits for the message. A verdict: it does not
        want it, or is gone.
        """
        smtp = self._ready()
        problem = self._unfit(smtp, envelope)
        if problem is not None and self._offered is None:
            return Verdict(Outcome.REFUSED, Phase.MAIL, problem)
        offered, self._offered = self._offered, None
        if offered is not None and offered != envelope:
            raise ValueError("another envelope went out behind the last message")
        commands = self._commands(smtp, envelope)
        phase = Phase.MAIL
        verdict: Verdict | None = None
        try:
            pipelined = offered is not None or smtp.has_extn("pipelining")
            if pipelined and offered is None:
                smtp.send_all(b"".join(command for _, command in commands), self._timeouts.command)
            for phase, command in commands:
                if not pipelined:
                    smtp.send_all(command, self._timeouts.command)
                reply = smtp.getreply()
                wanted = 3 if phase is Phase.DATA else 2
                if reply[0] // 100 != wanted:
                    if reply[0] < 400:
                        # It answers something else than what was asked: nothing it says counts.
                        raise smtplib.SMTPServerDisconnected("the relay's replies are out of step")
                    verdict = verdict or _verdict(reply, phase)
                    if verdict.outcome is Outcome.SLOWED or not pipelined:
                        break
                elif phase is Phase.DATA and verdict is not None:
                    # The relay waits for a message that has no recipient: an empty one ends it (RFC
                    # 2920 3.1).
                    smtp.send_all(b".\r\n", self._timeouts.command)
                    smtp.getreply()
            if verdict is None:
                return None
            if not verdict.ends_connection:
                _expect(smtp.docmd("RSET"), 2)
        except (OSError, smtplib.SMTPException, _Unfit) as error:
            verdict = verdict or Verdict(Outcome.LOST, phase, _in_words(error))
            self.close()
        if verdict.ends_connection:
            self.close()
        self._used_at = time.monotonic()
        return verdict

    def transmit(self, message: bytes, then: Envelope | None = None) -> Verdict:
        """Send the message and its final dot, and wait for the verdict.

        With ``then``, the next envelope's commands leave right behind the dot where the relay
        offers PIPELINING; ``offer`` it next.
        """
        smtp = self._ready()
        data = b"." + message if message.startswith(b".") else message
        data = data.replace(b"\r\n.", b"\r\n..") + b".\r\n"
        final = len(data)
        if then is not None and smtp.has_extn("pipelining") and self._unfit(smtp, then) is None:
            data += b"".join(command for _, command in self._commands(smtp, then))
            self._offered = then
        try:
            smtp.send_all(data, self._timeouts.body)
            reply = smtp.getreply(self._timeouts.verdict)
        except (OSError, smtplib.SMTPException) as error:
            last_words = smtp.last_words()
            self.close()
            dot_is_out = smtp.sent >= final
            if last_words is not None and (dot_is_out or last_words[0] >= 400):
                return _verdict(last_words, Phase.VERDICT if dot_is_out else Phase.BODY)
            if dot_is_out:
                return Verdict(Outcome.IN_DOUBT, Phase.VERDICT, _in_words(error))
            return Verdict(Outcome.LOST, Phase.BODY, _in_words(error))
        self._used_at = time.monotonic()
        self._handed_over += 1
        if reply[0] // 100 == 3:
            self.close()
            return Verdict(Outcome.IN_DOUBT, Phase.VERDICT, f"{reply[0]} {_text(reply)}", reply[0])
        verdict = _verdict(reply, Phase.VERDICT)
        if verdict.ends_connection:
            self.close()
        return verdict

    def has_reply(self, seconds: float) -> bool:
        """Whether the reply to an envelope put forward behind the last message has begun to arrive
        within ``seconds``. Without one there is none to wait for.
        """
        if self._smtp is None or self._offered is None:
            return False
        return self._smtp.has_reply(seconds)

    def _ready(self) -> "_Connection":
        if self._smtp is None:
            raise RuntimeError("connect() first")
        return self._smtp

    def _commands(self, smtp: "_Connection", envelope: Envelope) -> list[tuple[Phase, bytes]]:
        options = ""
        if smtp.has_extn("size"):
            options += f" SIZE={envelope.size}"
        if envelope.needs_utf8:
            options += " BODY=8BITMIME SMTPUTF8"
        return [
            (Phase.MAIL, f"MAIL FROM:<{envelope.sender}>{options}\r\n".encode()),
            (Phase.RCPT, f"RCPT TO:<{envelope.recipient}>\r\n".encode()),
            (Phase.DATA, b"DATA\r\n"),
        ]

    def _unfit(self, smtp: "_Connection", envelope: Envelope) -> str | None:
        """Why this relay can never take the message, by what it offered (RFC 1870, RFC 6531)."""
        most = smtp.esmtp_features.get("size", "")
        if most.isdigit() and 0 < int(most) < envelope.size:
            return f"the message has {envelope.size} octets and the relay takes {most}"
        if envelope.needs_utf8 and not smtp.has_extn("smtputf8"):
            return "the address has letters beyond ASCII and the relay does not offer SMTPUTF8"
        return None


_GOODBYE_SECONDS = 2.0
_RECORD = 16 * 1024
"""Octets that one TLS record holds (RFC 8446 5.1). What is sent in such pieces is known to have
left or not; a larger one counts as unsent until the last of its records is out.
"""
_TRUSTED_SECONDS = 10.0
"""An idle connection older than this is checked before use."""


class _Unfit(Exception):
    """The relay answers, but not as it must."""

    def __init__(self, problem: str, reply: "_Reply | None" = None) -> None:
        super().__init__(problem if reply is None else f"{problem}: {reply[0]} {_text(reply)}")
        self.without_words = problem if reply is None else f"{problem}: {reply[0]}"


_Reply = tuple[int, bytes]


class _Connection(smtplib.SMTP):
    """smtplib's commands on a socket of our own making: no delay, and every reply read against one
    deadline.
    """

    def __init__(self, timeout: float) -> None:
        name = socket.gethostname()
        super().__init__(timeout=timeout, local_hostname=name if "." in name else "[127.0.0.1]")
        self._buffer = b""
        self._read_from: socket.socket | None = None
        self.sent = 0
        """How many octets of the last ``send_all`` the operating system has taken."""

    def open(self, host: str, port: int, context: ssl.SSLContext | None) -> None:
        """Connect, with TLS from the first octet where ``context`` is given."""
        self._host = host
        sock = socket.create_connection((host, port), self.timeout)
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.sock = context.wrap_socket(sock, server_hostname=host)

    def send(self, data: Any) -> None:
        """What smtplib's own commands leave by."""
        self.send_all(data.encode() if isinstance(data, str) else data, self.timeout)

    def send_all(self, data: bytes, seconds: float) -> None:
        """Send ``data`` within ``seconds``; after an error ``sent`` tells how much of it left."""
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        deadline = time.monotonic() + seconds
        self.sent = 0
        view = memoryview(data)
        while self.sent < len(data):
            self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
            self.sent += self.sock.send(view[self.sent : self.sent + _RECORD])

    def getreply(self, seconds: float | None = None) -> _Reply:
        """One whole reply, its lines joined. Raises ``SMTPServerDisconnected`` when there is none
        in time, or it is none.
        """
        deadline = time.monotonic() + (self.timeout if seconds is None else seconds)
        lines: list[bytes] = []
        while True:
            line = self._line(deadline)
            match = _REPLY.fullmatch(line)
            if match is None or len(lines) > _LONGEST_REPLY:
                raise smtplib.SMTPServerDisconnected("what the relay answered is not SMTP")
            lines.append(match[3])
            if match[2] != b"-":
                return int(match[1]), b"\n".join(lines)

    def has_reply(self, seconds: float) -> bool:
        if b"\n" in self._buffer:
            return True
        if self.sock is None:
            return False
        if isinstance(self.sock, ssl.SSLSocket) and self.sock.pending():
            return True
        return bool(wait_readable([self.sock], [], [], seconds)[0])

    def last_words(self) -> _Reply | None:
        """What a relay said before it hung up on a message, if anything arrived."""
        try:
            return self.getreply(0.5) if self.has_reply(0) else None
        except (OSError, smtplib.SMTPException, ValueError):
            return None

    def abort(self) -> None:
        sock = self.sock
        if sock is not None:
            # An error says that it is gone already.
            # Not the TLS socket's own shutdown, which first forgets that there is TLS: another
            # thread's octets could leave in clear.
            with suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def _line(self, deadline: float) -> bytes:
        if self.sock is None:
            raise smtplib.SMTPServerDisconnected("the connection is closed")
        if self._read_from is not self.sock:
            # Since STARTTLS this is another socket: what came before it in clear is not to be
            # believed.
            self._buffer, self._read_from = b"", self.sock
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


_REPLY = re.compile(rb"([2-5][0-9][0-9])([ -]?)(.*)", re.DOTALL)
_LONGEST_REPLY = 64 * 1024
_ENHANCED = re.compile(r"^([245]\.[0-9]{1,3}\.[0-9]{1,3})\b")
_ABOUT_MAILBOX = re.compile(r"4\.2\.")
"""An enhanced code about the recipient's mailbox (RFC 3463 3.3), so not about everybody."""
_ABOUT_RATE = re.compile(
    r"\b(too (many|much|fast|often|frequent\w*)|throttl\w*|slow(ing)? down|rate(s|limit\w*)?)\b",
    re.IGNORECASE,
)


@cache
def tls_context(ca_file: str | None) -> ssl.SSLContext:
    """The one TLS context of the process: verified, host name checked, TLS 1.2 or newer. Reading
    the CA store takes 28 ms.
    """
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _verdict(reply: _Reply, phase: Phase) -> Verdict:
    code, text = reply[0], _text(reply)
    enhanced = _ENHANCED.match(text)
    if code // 100 == 2:
        outcome = Outcome.ACCEPTED
    elif code == 421 or (
        code in (450, 451) and _ABOUT_RATE.search(text) and not _ABOUT_MAILBOX.match(text)
    ):
        outcome = Outcome.SLOWED
    elif code // 100 == 5:
        outcome = Outcome.REFUSED
    else:
        outcome = Outcome.DEFERRED
    return Verdict(outcome, phase, f"{code} {text}", code, enhanced[1] if enhanced else None)


def _expect(reply: _Reply, first_digit: int) -> None:
    if reply[0] // 100 != first_digit:
        raise _Unfit("the relay said no", reply)


def _text(reply: _Reply) -> str:
    """A reply's text as it can be stored: on one line, without control characters."""
    text = reply[1].decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:1000]


def _in_words(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, ssl.SSLError) and error.reason == "WRONG_VERSION_NUMBER":
        return "no TLS from the first octet here; is email.smtp_security = starttls meant?"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {error.reason or error.strerror or type(error).__name__}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
