"""``/metrics``: what is counted, and who may read it."""

from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from pyramid.router import Router
from webtest import TestApp

from app.mail import Message, Recipient, command_counts
from app.mail.delivery.relay import Relay as RelayRow
from app.mail.metrics import EVENTS
from app.mail.outbox.tables import State
from app.operations.metrics import text_of
from tests.support.accounts import recorded_statements
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, put
from tests.support.relay import Relay
from tests.support.workers import Hire

LOCAL = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:6543"}
TOKEN = "t" * 32


def read(outbox: Outbox) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = text_of(outbox.registry).decode()
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_waits_is_read_from_the_database(
    make_app: MakeApp, sending_values: dict[str, str], clock: Clock
) -> None:
    outbox = Outbox(make_app(sending_values).registry)
    outbox.write(1)
    outbox.write(2)
    put(outbox, outbox.write(3), State.UNKNOWN)
    email = outbox.registry.pillarbox.email
    name = f"{email.smtp_server}:{email.smtp_port}"
    clock.advance(timedelta(seconds=90))
    before = read(outbox)
    with outbox.registry.database.transaction(write=True) as session:
        until = clock() + timedelta(minutes=1)
        session.add(RelayRow(name=name, blocked_until=until, reason="quota", failures=1))
    after = read(outbox)
    assert before["pillarbox_database_reachable"] == 1
    assert before["pillarbox_queue_emails queued"] == 2
    assert before["pillarbox_queue_emails sending"] == 0
    assert before["pillarbox_queue_emails unknown"] == 1
    assert before["pillarbox_queue_oldest_seconds"] == 90
    assert (before["pillarbox_relay_resting"], after["pillarbox_relay_resting"]) == (0, 1)


def test_a_delivery_is_counted_once_it_is_committed(
    make_app: MakeApp, sending_values: dict[str, str], relay: Relay, hire: Hire
) -> None:
    app = make_app(sending_values)
    outbox = Outbox(app.registry)
    relay.refuses["customer2@example.org"] = "550 5.1.1 no such user"
    before = read(outbox)
    outbox.write(1)
    outbox.write(2)
    hire(app).run_once()
    after = read(outbox)
    grown = {
        name: value - before.get(name, 0)
        for name, value in after.items()
        if value != before.get(name, 0) and "_bucket" not in name and "_sum" not in name
    }
    assert grown == {
        "pillarbox_emails_total note queued": 2,
        "pillarbox_emails_total note sent": 1,
        "pillarbox_emails_total note failed": 1,
        "pillarbox_attempts_total note accepted": 1,
        "pillarbox_attempts_total note refused": 1,
        "pillarbox_delivery_seconds_count": 1,
    }


def test_what_rolls_back_is_not_counted(outbox: Outbox) -> None:
    note = outbox.write(1)
    before = read(outbox)
    with outbox.registry.database.transaction(write=True) as session:
        savepoint = session.begin_nested()
        kind = outbox.registry.email_kinds.get(note.kind)
        message = Message(kind, Recipient("a@example.org"), "note:9", "Hello you", "x", "x")
        outbox.service(session).send_message(message, key="note:9")
        savepoint.rollback()
    assert read(outbox) == before


def test_what_commands_counted_is_in_the_next_answer(outbox: Outbox) -> None:
    database = outbox.registry.database
    with command_counts.handed_over(database):
        EVENTS.labels("complained").inc(3)
    name = "pillarbox_events_total complained"
    # This process is the command's as well, so it has counted the three already.
    counted = EVENTS.labels("complained")._value.get()
    assert read(outbox)[name] == counted + 3
    with recorded_statements(database) as statements:
        assert read(outbox)[name] == counted + 3
    assert not any(statement.startswith("DELETE") for statement in statements)


def test_the_first_answer_has_every_kind(outbox: Outbox) -> None:
    found = read(outbox)
    for kind in outbox.registry.email_kinds:
        for state in ("queued", "sent", "failed", "bounced", "unknown"):
            assert f"pillarbox_emails_total {kind.name} {state}" in found


@on_sqlite
def test_no_address_stands_in_a_label(sending_app: Router, hire: Hire) -> None:
    outbox = Outbox(sending_app.registry)
    outbox.write(1, address="ada@example.org")
    hire(sending_app).run_once()
    assert "@" not in text_of(outbox.registry).decode()


@on_sqlite
@pytest.mark.parametrize(
    ("environ", "status"),
    [
        (LOCAL, 200),
        (LOCAL | {"REMOTE_ADDR": "::1", "HTTP_HOST": "localhost:6543"}, 200),
        (LOCAL | {"REMOTE_ADDR": "192.0.2.7"}, 403),
        (LOCAL | {"HTTP_X_FORWARDED_FOR": "192.0.2.7"}, 403),
        (LOCAL | {"HTTP_FORWARDED": "for=192.0.2.7"}, 403),
        (LOCAL | {"HTTP_VIA": "1.1 proxy"}, 403),
        (LOCAL | {"HTTP_HOST": "shop.example.org"}, 403),
        (LOCAL | {"HTTP_HOST": "[1.2]"}, 403),
        (LOCAL | {"REQUEST_URI": "http://evil.example/metrics"}, 403),
    ],
)
def test_without_a_token_only_this_machine_reads_them(
    browser: TestApp, environ: dict[str, str], status: int
) -> None:
    response = browser.get("/metrics", extra_environ=environ, status=status)
    assert ("pillarbox_queue_emails" in response.text) == (status == 200)
    assert "Set-Cookie" not in response.headers


@on_sqlite
@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"Bearer {TOKEN[1:]}", 401),
        (f"Basic {TOKEN}", 401),
        ("Bearer é", 401),
        ("", 401),
    ],
)
def test_a_token_lets_other_machines_read_them(
    make_app: MakeApp, settings_values: dict[str, str], authorization: str, status: int
) -> None:
    app = make_app(settings_values | {"metrics.token": TOKEN})
    environ = {"REMOTE_ADDR": "192.0.2.7", "HTTP_AUTHORIZATION": authorization}
    response = TestApp(app).get("/metrics", extra_environ=environ, status=status)
    assert (response.headers.get("WWW-Authenticate") == "Bearer") == (status == 401)
