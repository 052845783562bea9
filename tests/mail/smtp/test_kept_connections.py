"""A connection that is kept between emails. It is tested before it is used again, closed when it
idles, and replaced silently when the relay has closed it.
"""

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from app.mail.delivery import worker
from app.mail.smtp import mailer
from app.mail.smtp.envelope import Envelope
from app.mail.smtp.mailer import Mailer, RelayUnavailable, Timeouts
from app.mail.smtp.replies import Outcome, Verdict
from app.mail.smtp.tls import tls_context
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.relay import PASSWORD, USERNAME, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import DROP, GARBAGE, SLOW, STALL, At, Fault
from tests.support.waiting import eventually
from tests.support.workers import Hire

SENDER, ADA = "shop@example.org", "ada@example.org"
LATER, NEVER, CLOSING = "451 4.3.0 later", "500 5.5.1 what?", "421 4.4.2 idle for too long"


def settings_for(relay: ScriptedSMTP, security: str, ca_file: str | None = None) -> Any:
    return SimpleNamespace(
        smtp_server="127.0.0.1",
        smtp_port=relay.port,
        smtp_username=USERNAME,
        smtp_password=PASSWORD,
        smtp_security=security,
        smtp_ca_file=ca_file,
        smtp_hello=None,
        smtp_oauth_token_url=None,
        smtp_oauth_client_id=None,
    )


def send(mailer: Mailer, message: bytes) -> Verdict:
    mailer.connect()
    return mailer.offer(Envelope(SENDER, ADA, len(message))) or mailer.transmit(message)


def letter(number: int) -> bytes:
    return f"Message-ID: <{number}@example.org>\r\n\r\nHello\r\n".encode()


class Phases:
    """Records every phase that the relay reaches."""

    def __init__(self) -> None:
        self.reached: list[At] = []

    def __call__(self, phase: At) -> None:
        self.reached.append(phase)


@pytest.fixture
def phases() -> Phases:
    return Phases()


@pytest.fixture
def scripted(certificate: Certificate, phases: Phases) -> ScriptedSMTP:
    """A relay that is not started, and does everything right."""
    return ScriptedSMTP(certificate, before=phases)


@pytest.fixture
def never_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every kept connection is checked before use."""
    monkeypatch.setattr(mailer, "_TRUSTED_SECONDS", 0.0)


Client = Callable[[ScriptedSMTP], Mailer]


@pytest.fixture
def client() -> Iterator[Client]:
    mailers: list[Mailer] = []

    def client(relay: ScriptedSMTP) -> Mailer:
        mailers.append(
            Mailer(
                settings_for(relay, "starttls", str(relay.certificate.ca)), Timeouts(0.4, 0.4, 0.4)
            )
        )
        return mailers[-1]

    yield client
    for mailer_ in mailers:
        mailer_.close()


@pytest.mark.usefixtures("never_trusted")
def test_a_connection_that_idled_is_asked_and_goes_on(
    client: Client, scripted: ScriptedSMTP, phases: Phases
) -> None:
    with scripted:
        mailer = client(scripted)
        for number in (1, 2, 3):
            assert send(mailer, letter(number)).outcome is Outcome.ACCEPTED
    assert scripted.connections == 1
    assert phases.reached.count(At.NOOP) == 2
    assert scripted.violations == []


def test_a_connection_in_use_is_not_asked(
    client: Client, scripted: ScriptedSMTP, phases: Phases
) -> None:
    with scripted:
        mailer = client(scripted)
        for number in (1, 2, 3):
            send(mailer, letter(number))
    assert scripted.connections == 1
    assert At.NOOP not in phases.reached


@pytest.mark.usefixtures("never_trusted")
@pytest.mark.parametrize("how", [LATER, NEVER, CLOSING, STALL, DROP, GARBAGE])
def test_a_connection_that_the_relay_has_closed_is_replaced_and_the_email_arrives_once(
    client: Client, scripted: ScriptedSMTP, how: str
) -> None:
    with replace(scripted, faults=(Fault(At.NOOP, how),)) as relay:
        mailer = client(relay)
        for number in (1, 2):
            assert send(mailer, letter(number)).outcome is Outcome.ACCEPTED
    assert relay.connections == 2
    assert relay.received == ["<1@example.org>", "<2@example.org>"]


@pytest.mark.parametrize("how", [STALL, DROP, GARBAGE, CLOSING])
@pytest.mark.parametrize("phase", [At.MAIL, At.RCPT, At.DATA, At.DOT])
def test_after_silence_or_a_goodbye_a_connection_is_never_used_again(
    client: Client, scripted: ScriptedSMTP, phase: At, how: str
) -> None:
    with replace(scripted, faults=(Fault(phase, how),)) as relay:
        mailer = client(relay)
        first = send(mailer, letter(1))
        assert first.ends_connection
        assert not mailer.is_connected
        assert send(mailer, letter(2)).outcome is Outcome.ACCEPTED
    assert relay.connections == 2


@on_sqlite
def test_a_worker_with_nothing_to_do_says_goodbye_and_comes_back(
    make_app: MakeApp,
    settings_values: dict[str, str],
    hire: Hire,
    scripted: ScriptedSMTP,
    phases: Phases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.02)
    with scripted:
        app = make_app(settings_values | through(scripted) | {"email.connections": "1"})
        outbox = Outbox(app.registry)
        hire(app).start()
        outbox.write(1)
        eventually(lambda: At.QUIT in phases.reached)
        outbox.write(2)
        assert len(scripted.wait_for(2)) == 2
        assert scripted.connections == 2


def test_an_answer_that_trickles_in_for_ever_is_not_waited_for_longer_than_any_other(
    client: Client, scripted: ScriptedSMTP
) -> None:
    # An octet comes every millisecond or two, so no read times out; the whole takes two seconds.
    relay = replace(scripted, offers=("X" * 2000,), faults=(Fault(At.EHLO, SLOW),))
    with relay, pytest.raises(RelayUnavailable, match="ehlo: timed out"):
        client(relay).connect()


def test_the_waits_are_those_of_the_standards() -> None:
    # STANDARDS A17: 30 s to connect and for commands, 10 min for the reply to the final dot.
    assert Timeouts() == Timeouts(command=30, body=180, verdict=600)


def test_tls_is_verified_and_1_2_at_least(certificate: Certificate) -> None:
    for context in (tls_context(None), tls_context(str(certificate.ca))):
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize("starttls", [True, False])
def test_a_password_is_not_sent_without_tls_even_when_the_settings_were_not_asked(
    scripted: ScriptedSMTP, starttls: bool
) -> None:
    with replace(scripted, starttls=starttls) as relay:
        mailer = Mailer(settings_for(relay, "none"))
        with pytest.raises(RelayUnavailable, match="never sent without TLS"):
            mailer.connect()
    assert (relay.logins, relay.violations) == ([], [])
