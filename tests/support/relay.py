"""A relay that works: aiosmtpd with STARTTLS or TLS, AUTH and a certificate of the tests' own
authority. ``through`` gives the settings with which an application sends through a relay.
"""

import asyncio
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.certificates import Certificate
from tests.support.ports import free_port

USERNAME, PASSWORD = "shop", "pässword with ümlauts"


class AnyRelay(Protocol):
    """A relay with TLS on a port of this machine."""

    certificate: Certificate
    implicit_tls: bool
    port: int


def through(relay: AnyRelay) -> dict[str, str]:
    """Settings with which emails really go out, through ``relay``."""
    return {
        "email.debug": "false",
        "email.smtp_server": "127.0.0.1",
        "email.smtp_port": str(relay.port),
        "email.smtp_username": USERNAME,
        "email.smtp_password": PASSWORD,
        "email.smtp_security": "tls" if relay.implicit_tls else "starttls",
        "email.smtp_ca_file": str(relay.certificate.ca),
    }


@dataclass
class Received:
    """A message that the relay took: its envelope and its bytes."""

    sender: str
    recipients: list[str]
    message: bytes
    options: list[str]


@dataclass
class Relay:
    """Takes every message, unless ``rcpt_replies`` or ``data_replies`` hold another reply. Each of
    these is given once.
    """

    certificate: Certificate
    implicit_tls: bool = False
    pipelining: bool = True
    port: int = 0
    received: list[Received] = field(default_factory=list)
    logins: list[bytes] = field(default_factory=list)
    connections: int = 0
    commands: list[str] = field(default_factory=list)
    rcpt_replies: list[str] = field(default_factory=list)
    data_replies: list[str] = field(default_factory=list)
    refuses: dict[str, str] = field(default_factory=dict)
    """The reply to every RCPT for a recipient."""
    before_verdict: Callable[[], object] = field(default=lambda: None)
    """Called in a thread of its own when a body has arrived, before the reply to its final dot."""
    body_arrived: threading.Event = field(default_factory=threading.Event)
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Open the port, the same one after a ``stop``."""
        self.port = self.port or free_port()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate.certificate, self.certificate.key)
        options: dict[str, Any] = {
            "hostname": "127.0.0.1",
            "port": self.port,
            "auth_required": True,
            "authenticator": self._authenticate,
            "enable_SMTPUTF8": True,
            "decode_data": False,
        }
        if self.implicit_tls:
            options |= {
                "ssl_context": context,
                # aiosmtpd does not know that this connection is encrypted from its first octet.
                "auth_required": False,
                "auth_require_tls": False,
            }
        else:
            options |= {"tls_context": context, "require_starttls": True}
        self._controller = Controller(_Handler(self), **options)
        self._controller.start()

    def stop(self) -> None:
        """Close the port and every connection."""
        self._controller.stop()

    def wait_for(self, count: int, seconds: float = 20) -> list[Received]:
        """Wait for ``count`` messages, and return all that have arrived."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.received) >= count, seconds), (
                f"{len(self.received)} of {count} emails arrived"
            )
            return list(self.received)

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins.append(data.password)
        good = data == LoginPassword(USERNAME.encode(), PASSWORD.encode())
        return AuthResult(success=good, handled=good)


class _Handler:
    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def handle_EHLO(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        hostname: str,
        responses: list[str],
    ) -> list[str]:
        session.host_name = hostname
        self._relay.connections += 1
        if self._relay.pipelining:
            responses.insert(1, "250-PIPELINING")
        return responses

    async def handle_RCPT(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        options: list[str],
    ) -> str:
        if address in self._relay.refuses:
            return self._relay.refuses[address]
        if self._relay.rcpt_replies:
            reply = self._relay.rcpt_replies.pop(0)
            if not reply.startswith("2"):
                return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        relay = self._relay
        relay.body_arrived.set()
        await asyncio.get_running_loop().run_in_executor(None, relay.before_verdict)
        reply = relay.data_replies.pop(0) if relay.data_replies else "250 2.0.0 taken"
        if reply.startswith("2"):
            assert isinstance(envelope.content, bytes)
            with relay.arrived:
                relay.received.append(
                    Received(
                        envelope.mail_from or "",
                        list(envelope.rcpt_tos),
                        envelope.content,
                        list(envelope.mail_options),
                    )
                )
                relay.arrived.notify_all()
        return reply
