"""The client asks a relay only for extensions that its reply to EHLO offers. An email that the
relay cannot take fails alone, with a plain reason.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from pyramid.router import Router

from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At, Fault
from tests.support.workers import impatient

UMLAUT = "müller@example.org"


@pytest.fixture(params=[True, False], ids=["pipelining", "plain"])
def scripted(certificate: Certificate, request: pytest.FixtureRequest) -> ScriptedSMTP:
    """A relay that is not started, and does everything right."""
    return ScriptedSMTP(certificate, pipelining=request.param)


class Shop:
    """An application that delivers to a relay once."""

    def __init__(self, app: Router) -> None:
        self.outbox = Outbox(app.registry)

    def deliver(self) -> None:
        worker = impatient(self.outbox.registry, 10)
        worker.run_once()
        worker.stop()

    def end(self, email: OutboxEmail) -> tuple[str, str | None]:
        row = self.outbox.row(email)
        return row.state, row.reason

    def codes(self, email: OutboxEmail) -> list[tuple[int | None, str | None]]:
        return [(row.code, row.enhanced_code) for row in self.outbox.attempts(email)]


Open = Callable[[ScriptedSMTP], Shop]


@pytest.fixture
def open_shop(make_app: MakeApp, settings_values: dict[str, str]) -> Open:
    return lambda relay: Shop(make_app(settings_values | through(relay)))


def test_an_email_larger_than_the_relay_takes_fails_alone_and_is_not_begun(
    open_shop: Open, scripted: ScriptedSMTP
) -> None:
    with replace(scripted, offers=("SIZE 5000",)) as relay:
        shop = open_shop(relay)
        texts = {1: "Hello\n", 2: "A line.\n" * 1000, 3: "Hello\n"}
        small, large, last = (shop.outbox.write(n, text=text) for n, text in texts.items())
        shop.deliver()
    octets = len(message_bytes(large))
    assert shop.end(large) == (
        "failed",
        f"the message has {octets} octets and the relay takes 5000",
    )
    assert [shop.end(email)[0] for email in (small, last)] == ["sent", "sent"]
    assert len(relay.received) == 2
    assert relay.violations == []


@pytest.mark.parametrize("size", ["SIZE", "SIZE 0", "SIZE many"])
def test_a_relay_that_names_no_largest_size_takes_any(
    open_shop: Open, scripted: ScriptedSMTP, size: str
) -> None:
    with replace(scripted, offers=(size,)) as relay:
        shop = open_shop(relay)
        email = shop.outbox.write(1)
        shop.deliver()
    assert shop.end(email) == ("sent", None)
    assert relay.violations == []


def test_a_relay_without_extensions_is_asked_for_none(
    open_shop: Open, scripted: ScriptedSMTP
) -> None:
    with replace(scripted, offers=()) as relay:
        shop = open_shop(relay)
        emails = [
            shop.outbox.write(n, name="Zoë Ødegård", text="Grüße, 你好 😀\n") for n in (1, 2, 3)
        ]
        shop.deliver()
    assert {shop.end(email) for email in emails} == {("sent", None)}
    assert relay.messages == [message_bytes(email) for email in emails]
    # Without 8BITMIME every octet must be ASCII.
    assert all(message.isascii() for message in relay.messages)
    assert relay.violations == []


@pytest.mark.parametrize("place", [0, 1, 2])
def test_an_address_beyond_ascii_fails_alone_where_the_relay_does_not_offer_smtputf8(
    open_shop: Open, scripted: ScriptedSMTP, place: int
) -> None:
    addresses = ["anna@example.org", "bert@example.org"]
    addresses.insert(place, UMLAUT)
    with scripted as relay:
        shop = open_shop(relay)
        emails = [shop.outbox.write(n, address=address) for n, address in enumerate(addresses)]
        shop.deliver()
    state, reason = shop.end(emails.pop(place))
    assert state == "failed"
    assert reason == "the address has letters beyond ASCII and the relay does not offer SMTPUTF8"
    assert [shop.end(email)[0] for email in emails] == ["sent", "sent"]
    assert relay.violations == []


def test_an_address_beyond_ascii_goes_out_where_the_relay_offers_smtputf8(
    open_shop: Open, scripted: ScriptedSMTP
) -> None:
    with replace(scripted, offers=("SIZE 20000000", "8BITMIME", "SMTPUTF8")) as relay:
        shop = open_shop(relay)
        addresses = ["anna@example.org", UMLAUT, "bert@example.org", "jo@bücher.example"]
        emails = [shop.outbox.write(n, address=address) for n, address in enumerate(addresses)]
        shop.deliver()
    assert {shop.end(email) for email in emails} == {("sent", None)}
    assert relay.messages == [message_bytes(email) for email in emails]
    assert f"To: {UMLAUT}\r\n".encode() in relay.messages[1]
    assert relay.violations == []


@on_sqlite
@pytest.mark.parametrize("phase", [At.MAIL, At.RCPT, At.DATA, At.DOT])
@pytest.mark.parametrize(
    ("reply", "recorded"),
    [
        ("550 5.1.1 no such mailbox", (550, "5.1.1")),
        ("451 4.7.650 greylisted", (451, "4.7.650")),
        ("550-5.7.26 first line\r\n550 5.7.26 second line", (550, "5.7.26")),
        ("550 no enhanced code", (550, None)),
        ("550 5.1 is not one either", (550, None)),
        ("550 192.0.2.1 is no code but an address", (550, None)),
    ],
)
def test_a_refusals_code_and_enhanced_code_are_recorded(
    open_shop: Open,
    scripted: ScriptedSMTP,
    phase: At,
    reply: str,
    recorded: tuple[int, str | None],
) -> None:
    with replace(scripted, faults=(Fault(phase, reply),)) as relay:
        shop = open_shop(relay)
        email = shop.outbox.write(1)
        shop.deliver()
    assert shop.codes(email) == [recorded]
    assert (shop.end(email)[1] or "").startswith(reply.partition("\r\n")[0].replace("-", " ", 1))


def test_an_accepted_emails_enhanced_code_is_recorded(
    open_shop: Open, scripted: ScriptedSMTP
) -> None:
    with scripted as relay:
        shop = open_shop(relay)
        email = shop.outbox.write(1)
        shop.deliver()
    assert shop.codes(email) == [(250, "2.0.0")]
