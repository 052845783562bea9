"""One connection to a ``ScriptedSMTP``: the server's side of the dialogue, with the faults of the
script. It runs in a thread of its own.
"""

import socket
import threading
import time
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from tests.support.relay import PASSWORD, USERNAME
from tests.support.scripted_auth import authenticate
from tests.support.smtp_script import DROP, GARBAGE, SLOW, STALL, At, Fault

if TYPE_CHECKING:
    from tests.support.scripted_smtp import ScriptedSMTP


class _Over(Exception):
    """Ends the connection's thread."""


class Session:
    """One connection, in a thread of its own."""

    def __init__(self, server: "ScriptedSMTP", sock: socket.socket, number: int) -> None:
        self._server, self._sock, self._number = server, sock, number
        self._reached: Counter[At] = Counter()
        self._ended = threading.Event()
        self._buffer = b""
        self._encrypted = self._authenticated = False
        self._sender: str | None = None
        self._options: dict[str, str] = {}
        self._recipients: list[str] = []
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Break the connection."""
        self._ended.set()
        # An error means that the connection has ended already.
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._server.implicit_tls:
                self._encrypt()
            self._answer(At.BANNER, "220 relay.example.org ESMTP")
            while True:
                self._command(self._line().decode("utf-8", "replace"))
        except (_Over, OSError):
            pass
        finally:
            self._sock.close()

    # --- The dialogue -----------------------------------------------------------

    def _command(self, line: str) -> None:
        verb = line.partition(" ")[0].upper()
        # RFC 2920 3.1: a client may send more before the reply only after these commands.
        if self._buffer and not (self._server.pipelining and verb in ("MAIL", "RCPT", "RSET")):
            self._violated(f"{verb} did not wait for its reply")
        match verb:
            case "EHLO":
                self._server.hellos.append(line.partition(" ")[2])
                self._ehlo()
            case "STARTTLS":
                self._answer(At.STARTTLS, "220 go ahead")
                self._encrypt()
            case "AUTH":
                self._auth(line)
            case "MAIL":
                self._mail(line)
            case "RCPT":
                self._rcpt(line)
            case "DATA":
                self._data()
            case "RSET":
                self._sender, self._recipients = None, []
                self._answer(At.RSET, "250 OK")
            case "NOOP":
                self._answer(At.NOOP, "250 OK")
            case "QUIT":
                self._answer(At.QUIT, "221 bye")
                raise _Over
            case _:
                self._violated(f"unknown command {verb!r}")
                self._send("500 what?")

    def _ehlo(self) -> None:
        offered = ["relay.example.org", *self._server.offers]
        if self._server.pipelining:
            offered.append("PIPELINING")
        if self._encrypted:
            offered.append(f"AUTH {self._server.mechanisms}")
        elif self._server.starttls:
            offered.append("STARTTLS")
        *first, last = offered
        self._answer(At.EHLO, "".join(f"250-{word}\r\n" for word in first) + f"250 {last}")

    def _encrypt(self) -> None:
        how = self._fault(At.TLS).how
        if how:
            self._go_wrong(how)
        self._sock = self._server.tls.wrap_socket(self._sock, server_side=True)
        self._encrypted = True

    def _auth(self, line: str) -> None:
        if not self._encrypted:
            self._violated("a password came in clear")
        self._server.logins.append(line)
        fault = self._fault(At.AUTH)
        if fault.how or self._server.tokens is None:
            self._authenticated = self._give(fault.how, "235 2.7.0 welcome")
            return
        reply = authenticate(
            line,
            challenge=self._challenge,
            users={USERNAME: PASSWORD},
            tokens=self._server.tokens,
            peer=("127.0.0.1", self._server.port),
        )
        self._authenticated = reply.startswith("235")
        self._send(reply)
        if self._server.closes_after_refused_login and not self._authenticated:
            raise _Over

    def _challenge(self, text: str) -> str:
        self._send(f"334 {text}")
        return self._line().decode("utf-8", "replace")

    def _mail(self, line: str) -> None:
        if not self._authenticated:
            self._send("530 5.7.0 who are you?")
        elif self._sender is not None:
            self._violated("MAIL within a transaction")
            self._send("503 5.5.1 nested MAIL")
        elif self._answer(At.MAIL, "250 2.1.0 OK"):
            self._sender, self._recipients = line, []
            self._options = self._asked_for(line)

    def _asked_for(self, line: str) -> dict[str, str]:
        """The parameters of MAIL. Each needs an extension that was offered (RFC 5321 2.2.1)."""
        parameters = line.partition(">")[2].split()
        options = {name: value for name, _, value in (p.partition("=") for p in parameters)}
        offered = {offer.partition(" ")[0] for offer in self._server.offers}
        for name in options:
            if {"BODY": "8BITMIME"}.get(name, name) not in offered:
                self._violated(f"{name} was not offered")
        if not line.isascii() and "SMTPUTF8" not in options:
            self._violated("a sender beyond ASCII without SMTPUTF8")
        return options

    def _rcpt(self, line: str) -> None:
        recipient = line.partition("<")[2].partition(">")[0]
        if self._sender is not None and not line.isascii() and "SMTPUTF8" not in self._options:
            self._violated("a recipient beyond ASCII without SMTPUTF8")
        if self._sender is None:
            self._send("503 5.5.1 MAIL first")
        elif recipient in self._server.refused:
            self._send("550 5.1.1 no such mailbox")
        elif self._answer(At.RCPT, "250 2.1.5 OK"):
            self._recipients.append(recipient)

    def _data(self) -> None:
        if self._sender is None:
            self._send("503 5.5.1 MAIL first")
        elif not self._recipients and not self._server.accepts_data_without_recipients:
            self._send("554 5.5.1 no valid recipients")
        elif self._answer(At.DATA, "354 go ahead"):
            self._body()

    def _body(self) -> None:
        fault = self._fault(At.BODY)
        lines: list[bytes] = []
        while (line := self._line()) != b".":
            if fault.how:
                self._go_wrong(fault.how)
            lines.append(line.removeprefix(b"."))
        if self._buffer and not self._server.pipelining:
            self._violated("the next command did not wait for the verdict")
        message = b"".join(line + b"\r\n" for line in lines)
        self._check(message)
        self._sender, recipients, self._recipients = None, self._recipients, []
        if not recipients:
            if message:
                self._violated("a message without a recipient was sent")
            self._send("554 5.5.1 no valid recipients")
            return
        fault = self._fault(At.DOT)
        if not fault.how or fault.how == SLOW or fault.taken:
            self._server.take(message)
        self._give(fault.how, "250 2.0.0 taken")

    def _check(self, message: bytes) -> None:
        """Check that the message is as MAIL announced it (RFC 1870, 6152 and 6531)."""
        announced = self._options.get("SIZE", str(len(message)))
        if message and announced != str(len(message)):
            self._violated(f"SIZE={announced} was announced, and {len(message)} octets came")
        if not message.isascii() and self._options.get("BODY") != "8BITMIME":
            self._violated("8 bits without BODY=8BITMIME")
        if not message.partition(b"\r\n\r\n")[0].isascii() and "SMTPUTF8" not in self._options:
            self._violated("a header beyond ASCII without SMTPUTF8")

    # --- Answers, right and wrong -------------------------------------------------

    def _fault(self, phase: At) -> Fault:
        """The script's fault at this moment, or a ``Fault`` whose ``how`` is empty."""
        self._server.before(phase)
        self._reached[phase] += 1
        for fault in self._server.faults:
            is_now = fault.connection in (0, self._number) and fault.time in (
                0,
                self._reached[phase],
            )
            if fault.at is phase and is_now:
                return fault
        return Fault(phase, "")

    def _answer(self, phase: At, reply: str) -> bool:
        """Reply to a phase. Returns whether it was the good reply."""
        return self._give(self._fault(phase).how, reply)

    def _give(self, how: str, reply: str) -> bool:
        if how == SLOW:
            for octet in f"{reply}\r\n".encode():
                self._sock.sendall(bytes([octet]))
                time.sleep(0.001)
        elif how:
            if not how[0].isdigit():
                self._go_wrong(how)
            self._send(how)
            if how.startswith("421"):
                raise _Over
            return False
        else:
            self._send(reply)
        return True

    def _go_wrong(self, how: str) -> NoReturn:
        """End the connection in the given way. A reply is sent before."""
        if how == GARBAGE:
            self._sock.sendall(b"\x16\x03\x01\xff GET / no SMTP at all\r\n")
        if how in (STALL, GARBAGE):
            # Nor does the relay read anything.
            self._ended.wait()
        elif how != DROP:
            self._send(how)
        raise _Over

    def _send(self, reply: str) -> None:
        self._sock.sendall(f"{reply}\r\n".encode())

    def _line(self) -> bytes:
        while b"\r\n" not in self._buffer:
            chunk = self._sock.recv(4096)
            if not chunk:
                raise _Over
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\r\n")
        if b"\n" in line or b"\r" in line:
            self._violated("a line ended with a bare CR or LF")
        return line

    def _violated(self, rule: str) -> None:
        self._server.violations.append(rule)
