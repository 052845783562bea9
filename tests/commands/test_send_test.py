"""``pillarbox send-test``: one email through the outbox, and the relay's verdict on it."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from app.commands import send_test
from app.mail.delivery.relay import Relay as RelayRow
from app.mail.delivery.worker import Delivery
from app.mail.outbox.tables import OutboxEmail
from app.mail.test_message import TEST_MESSAGE
from app.mail.testing import Mailbox
from tests.support.outbox import Outbox
from tests.support.pillarbox_command import Pillarbox
from tests.support.relay import Relay
from tests.support.shop_settings import IN_PRODUCTION, write_ini

ADA = "ada@example.org"


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command does not wait for another worker to deliver the email."""
    monkeypatch.setattr(send_test, "OTHERS_SECONDS", 0.0)


def the_email(outbox: Outbox) -> OutboxEmail:
    [email] = Mailbox(outbox.registry.database).all(kind="test_message")
    return email


@pytest.mark.usefixtures("alone")
def test_the_relay_takes_it_and_its_words_are_printed(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    output = pillarbox("send-test", ini, ADA).stdout
    assert output.splitlines() == [
        f"Test email {the_email(outbox).id} is queued.",
        "The relay accepted the email: 250 2.0.0 taken",
    ]
    [received] = relay.received
    assert received.recipients == [ADA]
    assert the_email(outbox).state == "sent"


@pytest.mark.usefixtures("alone")
def test_a_refusal_is_printed_in_the_relays_words(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    relay.rcpt_replies.append("550 5.1.1 no such mailbox")
    output = pillarbox("send-test", ini, ADA, code=1).output
    assert "The test email failed: 550 5.1.1 no such mailbox" in output


@pytest.mark.usefixtures("alone")
def test_a_deferral_is_a_verdict_too_and_the_email_stays_queued(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    relay.data_replies.append("451 4.7.1 greylisted")
    output = pillarbox("send-test", ini, ADA, code=1).output
    assert "did not accept the email: 451 4.7.1 greylisted" in output
    assert f"emails {ini} cancel {the_email(outbox).id}" in output
    assert the_email(outbox).state == "queued"


@pytest.mark.usefixtures("alone")
def test_a_relay_that_is_down_is_reported_and_then_waited_for(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    relay.stop()
    output = pillarbox("send-test", ini, ADA, code=1).output
    name = f"127.0.0.1:{relay.port}"
    assert f"The relay {name} did not accept the email: connect: Connection refused" in output
    relay.start()
    output = pillarbox("send-test", ini, ADA).output
    assert "The relay accepted the email" in output


@pytest.mark.usefixtures("alone")
def test_a_login_that_is_refused_is_reported(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], outbox: Outbox
) -> None:
    ini = write_ini(tmp_path / "wrong.ini", sending_values | {"email.smtp_password": "wrong"})
    output = pillarbox("send-test", ini, ADA, code=1).output
    refused = "auth: the relay refused the login: 535 5.7.8 Authentication"
    assert f"did not accept the email: {refused}" in output
    assert the_email(outbox).state == "queued"


@pytest.mark.usefixtures("alone")
def test_an_email_in_doubt_is_reported_with_what_to_do(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    relay.data_replies.append("354 what was that")
    output = pillarbox("send-test", ini, ADA, code=1).output
    assert f"The email is in doubt; the relay 127.0.0.1:{relay.port} may have accepted it" in output
    assert f"pillarbox emails {ini} release {the_email(outbox).id}" in output
    assert the_email(outbox).state == "unknown"


@pytest.mark.usefixtures("alone")
def test_a_relay_that_rests_is_reported_and_not_disturbed(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    relay: Relay,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(send_test, "WAIT_SECONDS", 0.3)
    with outbox.registry.database.transaction(write=True) as session:
        resting = outbox.registry.clock() + timedelta(minutes=1)
        name = f"127.0.0.1:{relay.port}"
        session.add(RelayRow(name=name, blocked_until=resting, reason="421 slow", failures=1))
    output = pillarbox("send-test", ini, ADA, code=1).output
    assert f"The relay rests until {resting:%H:%M:%S} UTC: 421 slow" in output
    assert "there was no verdict within" in output
    assert relay.connections == 0
    assert the_email(outbox).state == "queued"


@pytest.mark.usefixtures("alone")
def test_too_many_tests_are_throttled_in_words(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    for number in range(TEST_MESSAGE.limit.count):
        outbox.write(number, of=TEST_MESSAGE, address=ADA)
    output = pillarbox("send-test", ini, ADA, code=1).output
    assert "The test email is throttled: over the limit of 30 in 1 hour" in output
    assert relay.connections == 0


@pytest.mark.usefixtures("alone")
def test_a_verdict_that_takes_long_is_waited_for(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    looked = threading.Event()

    def look() -> None:
        assert the_email(outbox).state == "sending"
        looked.set()

    relay.before_verdict = look
    assert "The relay accepted the email" in pillarbox("send-test", ini, ADA).output
    assert looked.is_set()


@pytest.mark.usefixtures("alone")
def test_only_the_test_is_delivered_and_the_queue_stays_as_it_is(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    waiting = outbox.write(1)
    pillarbox("send-test", ini, ADA)
    assert outbox.row(waiting).state == "queued"
    assert len(relay.received) == 1


def test_a_worker_that_runs_delivers_it_once(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, relay: Relay
) -> None:
    worker = Delivery(outbox.registry)
    worker.start()
    pillarbox("send-test", ini, ADA)
    worker.stop()
    assert len(relay.received) == 1


def test_in_debug_mode_it_is_captured_and_the_mailbox_is_named(
    pillarbox: Pillarbox, tmp_path: Path, settings_values: dict[str, str], outbox: Outbox
) -> None:
    ini = write_ini(tmp_path / "debug.ini", settings_values)
    output = pillarbox("send-test", ini, ADA).stdout
    assert f"See it at http://localhost/dev/mailbox/{the_email(outbox).id}" in output


def test_in_production_there_is_no_mailbox_to_name(
    pillarbox: Pillarbox, tmp_path: Path, settings_values: dict[str, str], outbox: Outbox
) -> None:
    ini = write_ini(tmp_path / "production.ini", settings_values | IN_PRODUCTION)
    output = pillarbox("send-test", ini, ADA).stdout
    assert f"emails {ini} show {the_email(outbox).id} --body" in output


def test_a_suppressed_address_is_reported(pillarbox: Pillarbox, ini: Path, outbox: Outbox) -> None:
    outbox.suppress(ADA)
    assert "suppressed: it bounced" in pillarbox("send-test", ini, ADA, code=1).output


@pytest.mark.parametrize("address", ["nobody", "a b@example.org", "ada@example.org\nBcc: eve@x.y"])
def test_what_is_no_address_is_not_even_queued(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, address: str
) -> None:
    assert "Cannot send email to" in pillarbox("send-test", ini, address, code=1).output
    assert Mailbox(outbox.registry.database).all() == []
