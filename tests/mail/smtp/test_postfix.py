"""Through a real Postfix: an email arrives unchanged, and every reply is understood."""

import os
from collections.abc import Iterator

import pytest
from pyramid.router import Router

from app.mail.smtp.mime import message_bytes
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.outbox import Outbox
from tests.support.postfix import CAN_RUN, LATER, NEVER, Postfix
from tests.support.relay import through
from tests.support.waiting import eventually
from tests.support.workers import Hire

pytestmark = pytest.mark.skipif(
    not CAN_RUN and "CI" not in os.environ, reason="needs Postfix, which only root can start"
)


@pytest.fixture(scope="module")
def postfix(certificate: Certificate) -> Iterator[Postfix]:
    with Postfix(certificate) as postfix:
        yield postfix


@pytest.fixture
def app(
    make_app: MakeApp,
    settings_values: dict[str, str],
    postfix: Postfix,
) -> Router:
    values = settings_values | through(postfix)
    del values["email.smtp_username"], values["email.smtp_password"]
    return make_app(values)


def arrived(postfix: Postfix, message_id: str) -> bytes:
    """The message as it was sent: with CRLF, and without the headers that Postfix added."""
    wanted = f"\nMessage-ID: {message_id}\n".encode()
    found: list[bytes] = []

    def has_arrived() -> bool:
        found[:] = [message for message in postfix.messages if wanted in message]
        return found != []

    eventually(has_arrived)
    [message] = found
    return message[message.index(b"\nDate: ") + 1 :].replace(b"\n", b"\r\n")


def test_every_email_arrives_as_it_was(
    outbox: Outbox, app: Router, hire: Hire, postfix: Postfix
) -> None:
    emails = [
        outbox.write(number, name="Zoë Ødegård", text=f".\n..\nPrice: € {number}\n" * 50)
        for number in range(25)
    ]
    hire(app).run_once()
    for email in emails:
        assert outbox.row(email).state == "sent"
        assert arrived(postfix, email.message_id) == message_bytes(outbox.row(email))


def test_what_postfix_says_about_one_email_touches_no_other(
    outbox: Outbox, app: Router, hire: Hire, postfix: Postfix
) -> None:
    addresses = [
        "anna@example.org",
        LATER,
        NEVER,
        "müller@example.org",
        "berta@example.org",
    ]
    emails = [outbox.write(n, address=address) for n, address in enumerate(addresses)]
    large = outbox.write(9, text="A line of a large letter.\n" * 50_000)
    hire(app).run_once()
    rows = [outbox.row(email) for email in (*emails, large)]
    assert [(row.state, row.attempts) for row in rows] == [
        ("sent", 0),
        ("queued", 1),
        ("failed", 0),
        ("sent", 0),
        ("sent", 0),
        ("failed", 0),
    ]
    reasons = [row.reason or "" for row in rows]
    assert "mailbox full" in reasons[1]
    assert "no such mailbox" in reasons[2]
    assert "the relay takes 1000000" in reasons[5]
    for email in (emails[0], emails[3], emails[4]):
        assert arrived(postfix, email.message_id) == message_bytes(outbox.row(email))


def test_a_postfix_that_does_not_relay_for_us_rests(
    outbox: Outbox, app: Router, hire: Hire, postfix: Postfix
) -> None:
    email = outbox.write(1, address="somebody@elsewhere.example")
    hire(app).run_once()
    row = outbox.row(email)
    assert (row.state, row.attempts) == ("queued", 0)
    assert "Relay access denied" in (row.reason or "")
