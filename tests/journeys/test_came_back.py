"""An email comes back. The customer sees it, changes the address, and gets the email."""

import re
from email import message_from_bytes
from email.policy import default as modern_policy

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import State
from app.mail.testing import Mailbox
from tests.mail.events.test_hearing import about, tell
from tests.support.accounts import ANNA, add_account, sign_in
from tests.support.outbox import Outbox
from tests.support.relay import Received, Relay
from tests.support.shopping import buy, stock
from tests.support.workers import Hire

NEW = "anna.new@example.org"


@pytest.fixture
def app(sending_app: Router) -> Router:
    return sending_app


def pressed(page: TestResponse, action: str) -> TestResponse:
    """Press the button of the form that leads to this path."""
    [form] = [form for form in page.forms.values() if form.action.endswith(action)]
    return form.submit(status=303)


def subject(received: Received) -> str:
    return str(message_from_bytes(received.message, policy=modern_policy)["Subject"])


def test_a_customer_whose_receipt_came_back_changes_the_address_and_gets_it(
    app: Router, browser: TestApp, relay: Relay, hire: Hire, mailbox: Mailbox
) -> None:
    stock(app.registry.database)
    add_account(app.registry.database)
    sign_in(browser)
    order = buy(browser).request.path
    worker = hire(app)
    worker.run_once()
    receipt = mailbox.latest(to=ANNA, kind="purchase_receipt")
    assert receipt.state == State.SENT

    outbox = Outbox(app.registry)
    tell(outbox, about(outbox, receipt, Event.BOUNCED, code="5.1.1", words="User unknown"))
    page = browser.get("/")
    assert f"We could not reach you at {ANNA}, because this mailbox does not exist." in page.text

    page = page.click("Change your address")
    [form] = [form for form in page.forms.values() if "new_email" in form.fields]
    form["new_email"] = NEW
    form.submit(status=303)
    worker.run_once()
    message = message_from_bytes(relay.received[-1].message, policy=modern_policy)
    assert relay.received[-1].recipients == [NEW]
    text = message.get_body(("plain",)).get_content()
    [path] = re.findall(r"https?://[^/\s]+(/account/email/\S+)", text)
    pressed(browser.get(path), path)
    page = browser.get("/")
    assert "We could not reach you" not in page.text

    page = browser.get(order)
    assert f"Your receipt could not be sent to {ANNA}." in page.text
    page = pressed(page, "/resend-receipt").follow()
    assert f"Your receipt is on its way to {NEW}." in page.text
    worker.run_once()
    last = relay.received[-1]
    assert last.recipients == [NEW]
    assert subject(last).startswith("Copy of the receipt")
    # Nothing went to the old address after it had come back.
    assert [each.recipients[0] for each in relay.received].count(ANNA) == 1
    states = [(email.kind, email.state) for email in mailbox.all(to=ANNA)]
    assert ("email_changed", State.SUPPRESSED) in states
