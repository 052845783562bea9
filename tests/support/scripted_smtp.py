"""A relay that misbehaves as a script tells it, at any phase of the dialogue, in any way a relay
can fail. It lists in ``violations`` what a client does against RFC 5321 and RFC 2920.
"""

import re
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from tests.support.certificates import Certificate
from tests.support.scripted_session import Session
from tests.support.smtp_script import At, Fault


@dataclass
class ScriptedSMTP:
    """Takes every message, unless ``faults`` say otherwise. ``start`` chooses the ``port``."""

    certificate: Certificate
    faults: tuple[Fault, ...] = ()
    offers: tuple[str, ...] = ("SIZE 20000000", "8BITMIME", "ENHANCEDSTATUSCODES")
    """The extensions in the reply to EHLO, beside PIPELINING, STARTTLS and AUTH."""
    pipelining: bool = True
    starttls: bool = True
    """False leaves STARTTLS out of the reply to EHLO, as an attacker on the way would."""
    implicit_tls: bool = False
    mechanisms: str = "PLAIN LOGIN"
    """What the reply to EHLO offers for AUTH."""
    tokens: set[str] | None = None
    """The tokens that are right. If it is not None, names, passwords and tokens are checked."""
    closes_after_refused_login: bool = False
    refused: frozenset[str] = frozenset()
    """Recipients that get a 550."""
    accepts_data_without_recipients: bool = False
    """Answers DATA with 354 although every recipient was refused (RFC 2920 3.1)."""
    before: Callable[[At], object] = field(default=lambda phase: None)
    """Called with every phase before the relay replies to it; at the dot, before it takes the
    message.
    """
    port: int = 0
    connections: int = 0
    hellos: list[str] = field(default_factory=list)
    """What clients call themselves in EHLO."""
    logins: list[str] = field(default_factory=list)
    received: list[str] = field(default_factory=list)
    """The Message-ID of every message that the relay took, in order; twice if it came twice."""
    messages: list[bytes] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._arrival = threading.Condition()
        self._sessions: list[Session] = []
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(self.certificate.certificate, self.certificate.key)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port, the same one after a ``stop``."""
        self._listening = socket.socket()
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Small buffers: the client is then still sending when a large body is half here.
        self._listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self._listening.bind(("127.0.0.1", self.port))
        self._listening.listen()
        self.port = self._listening.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listening.close()
        for session in self._sessions:
            session.end()
        self._sessions = []

    def wait_for(self, count: int, seconds: float = 20) -> list[str]:
        """Wait for ``count`` messages, and return the Message-IDs of all that have arrived."""
        with self._arrival:
            assert self._arrival.wait_for(lambda: len(self.received) >= count, seconds), (
                f"{len(self.received)} of {count} emails arrived"
            )
            return list(self.received)

    def take(self, message: bytes) -> None:
        """Accept a message. The sessions call this."""
        found = re.search(rb"^Message-ID: (\S+)\r$", message, re.MULTILINE)
        with self._arrival:
            self.messages.append(message)
            self.received.append(found[1].decode() if found else "no Message-ID")
            self._arrival.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listening.accept()
            except OSError:
                return
            self.connections += 1
            self._sessions.append(Session(self, sock, self.connections))
