"""The envelope sender carries the tag of its email, so that a report names the email."""

import pytest
from pyramid.router import Router

from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.relay import Relay
from tests.support.workers import Hire

pytestmark = on_sqlite
LONGEST = "b" * (64 - 29)
"""The longest text beside the longest tag in a local part of 64 octets (RFC 5321 4.5.3.1.1)."""


def app_with(make_app: MakeApp, sending_values: dict[str, str], return_path: str) -> Router:
    return make_app(sending_values | {"email.return_path": return_path})


@pytest.mark.parametrize("local_part", ["bounces+{tag}", "{tag}", f"{LONGEST}{{tag}}"])
def test_mail_from_is_the_return_path_with_the_emails_own_tag(
    make_app: MakeApp, sending_values: dict[str, str], relay: Relay, hire: Hire, local_part: str
) -> None:
    app = app_with(make_app, sending_values, f"{local_part}@bounces.example.org")
    outbox = Outbox(app.registry)
    emails = [outbox.write(number) for number in range(2)]
    hire(app).run_once()
    tags = [app.registry.email_tags.of(email.id) for email in emails]
    senders = [received.sender for received in relay.wait_for(2)]
    assert senders == [local_part.format(tag=tag) + "@bounces.example.org" for tag in tags]
    assert [app.registry.email_tags.find(sender) for sender in senders] == [
        email.id for email in emails
    ]
    assert all(len(sender.partition("@")[0]) <= 64 for sender in senders)


def test_without_a_tag_every_email_has_the_same_return_path(
    make_app: MakeApp, sending_values: dict[str, str], relay: Relay, hire: Hire
) -> None:
    app = app_with(make_app, sending_values, "bounces@example.org")
    Outbox(app.registry).write()
    hire(app).run_once()
    assert relay.wait_for(1)[0].sender == "bounces@example.org"
