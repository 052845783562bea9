"""What delivery tests share: relays with TLS and AUTH, applications that send through them, and
emails to send.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import func, select

from app.database.engine import Database
from app.mail import Kind, Message, Priority, RateLimit, Recipient
from app.mail.delivery.worker import Delivery
from app.mail.outbox.tables import OutboxEmail, State
from app.mail.service import EmailService
from app.mail.smtp.mailer import Mailer, Timeouts
from tests.support.certificates import Certificate, issue
from tests.support.postfix import Postfix
from tests.support.relay import PASSWORD, USERNAME, Relay
from tests.support.scripted_smtp import ScriptedSMTP


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return issue(tmp_path_factory.mktemp("certificates"), "relay", "localhost", "127.0.0.1")


@pytest.fixture
def relay(certificate: Certificate) -> Iterator[Relay]:
    """A relay with STARTTLS, AUTH and PIPELINING."""
    with Relay(certificate) as relay:
        yield relay


def through(relay: Relay | ScriptedSMTP | Postfix) -> dict[str, str]:
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


@pytest.fixture
def sending_values(settings_values: dict[str, str], relay: Relay) -> dict[str, str]:
    """Settings with which emails really go out, to the test's relay."""
    return settings_values | through(relay)


@pytest.fixture
def sending_app(
    make_app: Callable[[dict[str, str]], Router], sending_values: dict[str, str]
) -> Router:
    """The application with a real relay."""
    return make_app(sending_values)


@dataclass(frozen=True)
class Note:
    """The context of the kinds that delivery tests use."""

    words: str = "Hello"


def kind(name: str = "note", **policies: Any) -> Kind:
    """A kind of email with the given policies."""
    defaults: dict[str, Any] = {
        "samples": {"short": Note(), "long": Note("Hello " * 100)},
        "time_to_live": timedelta(days=3),
        "priority": Priority.ACCOUNT,
        "limit": RateLimit(1000, timedelta(hours=1)),
    }
    return Kind(name, Note, **(defaults | policies))


@dataclass
class Outbox:
    """Writes emails of the test's own kinds into the application's outbox, and reads their rows."""

    registry: Any

    def write(self, number: int = 1, *, of: Kind | None = None, **overrides: Any) -> OutboxEmail:
        """Commit one email, as a request would."""
        sent_kind = of or kind()
        if self.registry.email_kinds.get(sent_kind.name) is None:
            self.registry.email_kinds.add(sent_kind)
        sent_kind = self.registry.email_kinds.get(sent_kind.name)
        address = overrides.pop("address", f"customer{number}@example.org")
        key = overrides.pop("key", f"{sent_kind.name}:{number}")
        values: dict[str, Any] = {
            "kind": sent_kind,
            "to": Recipient(address, overrides.pop("name", "")),
            "about": f"note:{number}",
            "subject": f"Note {number} for you",
            "html": f"<p>Hello {number}</p>",
            "text": f"Hello {number}\n",
        }
        message = Message(**(values | overrides))
        with self.registry.database.transaction(write=True) as session:
            return self.service(session).send_message(message, key=key)

    def service(self, session: Any) -> EmailService:
        registry = self.registry
        return EmailService(
            settings=registry.pillarbox.email,
            site=registry.pillarbox.site,
            session=session,
            clock=registry.clock,
            wakeup=registry.email_wakeup,
        )

    def row(self, email: OutboxEmail) -> OutboxEmail:
        """The email's row as it is now."""
        with self.registry.database.transaction(write=False) as session:
            row = session.get(OutboxEmail, email.id)
            assert row is not None
            return row


def unsettled(database: Database) -> int:
    """How many emails are still on their way."""
    with database.transaction(write=False) as session:
        under_way = OutboxEmail.state.in_([State.QUEUED, State.SENDING])
        return session.scalar(select(func.count()).where(under_way)) or 0


@pytest.fixture
def outbox(app: Router) -> Outbox:
    return Outbox(app.registry)


def impatient(registry: Any, seconds: float) -> Delivery:
    """A worker that waits for the relay no longer than that, whatever it waits for."""
    return Delivery(
        registry.database,
        registry.pillarbox.email,
        registry.email_kinds,
        clock=lambda: registry.clock(),
        wakeup=registry.email_wakeup,
        new_mailer=lambda: Mailer.from_settings(
            registry.pillarbox.email, Timeouts(seconds, seconds, seconds)
        ),
    )


Hire = Callable[[Router], Delivery]


@pytest.fixture
def hire(make_app: Callable[[dict[str, str]], Router]) -> Iterator[Hire]:
    """Makes workers of applications. Whatever becomes of the test, they stop at its end."""
    workers: list[Delivery] = []

    def hire(app: Router) -> Delivery:
        workers.append(Delivery.from_registry(app.registry))
        return workers[-1]

    yield hire
    for worker in workers:
        worker.stop(seconds=1)


@pytest.fixture
def delivery(app: Router, hire: Hire) -> Delivery:
    """A worker that is not started: ``run_once`` delivers what is due."""
    return hire(app)


@pytest.fixture
def other_certificate(tmp_path: Path) -> Certificate:
    """A certificate for the same host by an authority that nobody trusts."""
    return issue(tmp_path, "stranger", "localhost", "127.0.0.1")
