"""The log of a whole journey: every line of a request has its id, and no line an address, a token,
a link or a body.
"""

import json
import logging
import re

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.mail.testing import Mailbox
from app.operations.logs import JSONLines
from tests.support.databases import on_sqlite
from tests.support.journey import ADDRESS, FIRST_PASSWORD, SECOND_PASSWORD, walk
from tests.support.relay import Relay
from tests.support.shopping import stock
from tests.support.workers import Hire


@on_sqlite
def test_the_log_of_a_journey_tells_no_secret(
    sending_app: Router, relay: Relay, hire: Hire, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="app")
    registry = sending_app.registry
    stock(registry.database)
    mailbox = Mailbox(registry.database)
    bodies: list[str] = []

    def read(kind: str) -> str:
        body = mailbox.latest(kind=kind).text_body or ""
        bodies.append(body)
        worker.run_once()
        return body

    worker = hire(sending_app)
    walk(TestApp(sending_app), read)
    # aiosmtpd, the tests' relay, writes to mail.log.
    records = [record for record in caplog.records if record.name != "mail.log"]
    lines = [json.loads(JSONLines().format(record)) for record in records]
    assert len(lines) > 12
    in_requests = [line for line in lines if line["message"] == "email written"]
    assert len(in_requests) >= 6
    assert all(re.fullmatch("[0-9a-f]{32}", str(line["request"])) for line in in_requests)
    assert any("account" in line for line in in_requests)
    asked = next(line for line in in_requests if line["kind"] == "confirm_address")
    attempts = [line for line in lines if line["message"] == "delivery attempt"]
    assert [line["request"] for line in attempts if line["email"] == asked["email"]] == [
        asked["request"]
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    links = [link for body in bodies for link in re.findall(r"https?://\S+", body)]
    tokens = [link.rpartition("/")[2] for link in links if len(link.rpartition("/")[2]) > 20]
    assert tokens
    words = [line for body in bodies for line in body.splitlines() if len(line) > 30]
    for secret in [ADDRESS, FIRST_PASSWORD, SECOND_PASSWORD, "@example", *tokens, *links, *words]:
        assert secret not in text
