"""The web never waits for the relay. Whatever the relay does, a customer gets the same response as
fast as ever.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from pyramid.router import Router

from app.database.clock import utc_clock
from app.mail.testing import Mailbox
from tests.support.accounts import sign_up
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.journey import ADDRESS, EMAILS, walk
from tests.support.relay import Relay
from tests.support.shopping import stock
from tests.support.waiting import eventually
from tests.support.workers import Hire


@pytest.fixture
def app(sending_app: Router) -> Router:
    return sending_app


@contextmanager
def hung_relay() -> Iterator[int]:
    """The port of a relay that takes connections and never replies."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_relay_that_is_down_changes_no_response_and_the_email_goes_out_later(
    app: Router, relay: Relay, mailbox: Mailbox, hire: Hire
) -> None:
    app.registry.clock = utc_clock
    healthy = sign_up(another_browser(app), "ada@example.org")
    relay.stop()
    worker = hire(app)
    worker.start()
    eventually(lambda: "Connection refused" in (mailbox.latest().reason or ""))
    response = sign_up(another_browser(app), "bob@example.org")
    assert (response.status, response.location) == (healthy.status, healthy.location)
    relay.start()
    arrived = relay.wait_for(2)
    worker.stop()
    assert sorted(received.recipients[0] for received in arrived) == [
        "ada@example.org",
        "bob@example.org",
    ]


def test_a_hung_relay_holds_no_request(
    make_app: MakeApp, sending_values: dict[str, str], hire: Hire
) -> None:
    with hung_relay() as port:
        app = make_app(sending_values | {"email.smtp_port": str(port)})
        worker = hire(app)
        worker.start()
        answered = threading.Event()

        def customers() -> None:
            for number in range(5):
                assert (
                    sign_up(another_browser(app), f"customer{number}@example.org").status_int == 303
                )
            answered.set()

        threading.Thread(target=customers, daemon=True).start()
        # A request that waited for this relay would take 30 seconds.
        assert answered.wait(20)
        assert {email.state for email in Mailbox(app.registry.database).all()} == {"queued"}


def test_a_relay_gets_every_email_of_a_customers_journey(
    app: Router, relay: Relay, hire: Hire
) -> None:
    app.registry.clock = utc_clock
    stock(app.registry.database)
    worker = hire(app)
    worker.start()
    kinds = []

    def read(kind: str) -> str:
        kinds.append(kind)
        message = message_from_bytes(relay.wait_for(len(kinds))[-1].message, policy=modern_policy)
        assert message["To"].addresses[0].addr_spec == ADDRESS
        return str(message.get_body(("plain",)).get_content())

    walk(another_browser(app), read)
    worker.stop()
    assert kinds == EMAILS
    rows = Mailbox(app.registry.database).all()
    assert [(row.kind, row.state) for row in rows] == [(kind, "sent") for kind in EMAILS]
    assert [row.kind for row in rows if row.has_body] == [
        "welcome",
        "password_changed",
        "purchase_receipt",
        "account_exists",
    ]
