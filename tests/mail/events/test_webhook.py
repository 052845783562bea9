"""``POST /webhooks/email``: who may call, what a call changes, and what no call brings down."""

import hmac
import json
import logging
import socket
from base64 import b64encode
from datetime import timedelta
from email import message_from_bytes
from hashlib import sha256
from typing import Any

import pytest
from pyramid.config import Configurator
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.models import SignInSession
from app.mail.events import webhook
from app.mail.events.tags import Tags
from app.mail.outbox.event_tables import EmailEvent, Event, EventSource
from app.mail.outbox.tables import OutboxEmail, State
from app.operations.doctor import events as doctor_events
from tests.support.application import MakeApp
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, put
from tests.support.relay import Relay
from tests.support.rows import count
from tests.support.service_events import (
    brevo_event,
    mailgun_event,
    postmark_event,
    sendgrid_event,
    ses_event,
    sns,
    sns_confirmation,
)
from tests.support.workers import Hire

SECRET = "sécret: of the service, 32 characters"
KEY = "the key of Mailgun's signatures"


class Service:
    """A service that calls the webhook of an application of its own."""

    def __init__(self, app: Router) -> None:
        self.app = app
        self.outbox = Outbox(app.registry)
        self.browser = another_browser(app)

    def call(self, body: Any, *, status: int = 200, **headers: str) -> TestResponse:
        """POST ``body``, as JSON unless it is octets already."""
        octets = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": basic(SECRET), "Content-Type": "application/json"} | headers
        return self.browser.post("/webhooks/email", octets, headers=headers, status=status)

    def sent(self, number: int = 1) -> OutboxEmail:
        """An email that the relay took."""
        now = self.app.registry.clock()
        return put(self.outbox, self.outbox.write(number), State.SENT, sent_at=now)

    def tag(self, email: OutboxEmail) -> str:
        tag: str = self.app.registry.email_tags.of(email.id)
        return tag

    def source(self) -> EventSource:
        with self.app.registry.database.transaction(write=False) as session:
            return session.scalars(select(EventSource)).one()

    def events(self) -> list[str]:
        with self.app.registry.database.transaction(write=False) as session:
            return list(session.scalars(select(EmailEvent.event).order_by(EmailEvent.id)))


def basic(password: str, user: str = "pillarbox") -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def values(settings_values: dict[str, str]) -> dict[str, str]:
    return settings_values | {
        "email.debug": "false",
        "email.smtp_server": "127.0.0.1",
        "email.smtp_port": "1",
        "email.smtp_security": "none",
        "email.events_secret": SECRET,
    }


@pytest.fixture
def postmark(make_app: MakeApp, values: dict[str, str]) -> Service:
    return Service(make_app(values | {"email.events": "postmark"}))


@pytest.fixture
def mailgun(make_app: MakeApp, values: dict[str, str]) -> Service:
    return Service(make_app(values | {"email.events": "mailgun", "email.events_key": KEY}))


@pytest.fixture
def ses(make_app: MakeApp, values: dict[str, str]) -> Service:
    return Service(make_app(values | {"email.events": "ses"}))


@pytest.fixture
def sendgrid(make_app: MakeApp, values: dict[str, str]) -> Service:
    return Service(make_app(values | {"email.events": "sendgrid"}))


def test_an_event_of_each_service_reaches_its_email(
    make_app: MakeApp, values: dict[str, str]
) -> None:
    for service, make in [
        ("ses", lambda tag: sns(ses_event("Delivery", tag))),
        ("postmark", lambda tag: postmark_event("Delivery", tag)),
        ("mailgun", lambda tag: mailgun_event("delivered", tag)),
        ("sendgrid", lambda tag: [sendgrid_event("delivered", tag)]),
        ("brevo", lambda tag: brevo_event("delivered", tag)),
    ]:
        caller = Service(make_app(values | {"email.events": service}))
        email = put(caller.outbox, caller.outbox.write(key=service), State.SENT)
        caller.call(make(caller.tag(email)))
        row = caller.outbox.row(email)
        assert (row.heard, row.delivered_at) == (Event.DELIVERED, row.created_at)


@on_sqlite
def test_without_a_service_there_is_no_webhook(browser: TestApp) -> None:
    browser.post("/webhooks/email", b"{}", status=404)


@on_sqlite
def test_the_password_is_asked_for(postmark: Service) -> None:
    email = postmark.sent()
    event = postmark_event("Delivery", postmark.tag(email))
    for header in [
        "",
        "Basic",
        "Basic ",
        "Basic é",
        "Basic " + "=" * 5,
        basic(""),
        basic("", SECRET),
        basic(SECRET + " "),
        basic(SECRET[:-1]),
        basic(SECRET).replace("Basic", "Bearer"),
        "Basic " + b64encode(SECRET.encode()).decode(),
        "Basic " + b64encode(b"\xff\xfe:\xff").decode(),
    ]:
        response = postmark.call(event, Authorization=header, status=401)
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert postmark.events() == []
    postmark.call(event, Authorization=basic(SECRET, "whoever"))
    assert postmark.events() == ["delivered"]


@on_sqlite
def test_a_call_leaves_no_session_and_no_cookie(postmark: Service) -> None:
    response = postmark.call(
        postmark_event("Delivery", ""),
        Cookie="pillarbox-visitor=x",
        Origin="https://elsewhere.example",
    )
    assert "Set-Cookie" not in response.headers
    assert "Vary" not in response.headers
    assert count(postmark.app.registry.database, SignInSession) == 0
    postmark.browser.get("/webhooks/email", status=405)


@on_sqlite
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe{\x00}\x00",
        '{"RecordType": "Delivery", "Details": "é"}'.encode("latin-1"),
        b'{"RecordType": "Delivery", "ID": NaN}',
        b'{"RecordType": "Delivery", "ID": -Infinity}',
        b'{"RecordType": "Delivery", "ID": ' + b"9" * 5000 + b"}",
        b'{"RecordType": ' + b'{"a":' * 10_000 + b"1" + b"}" * 10_000 + b"}",
        b"[" * 10_000 + b"]" * 10_000,
        b"[1, 2]",
        b'"Delivery"',
        b"null",
    ],
)
def test_what_is_no_event_gets_400_and_no_traceback(
    postmark: Service, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        postmark.call(body, status=400)
    assert "webhook refused: service=postmark problem=" in caplog.text
    assert "Traceback" not in caplog.text


@on_sqlite
def test_a_body_over_a_megabyte_gets_413(postmark: Service) -> None:
    postmark.call(b'{"RecordType": "' + b"x" * 2_000_000 + b'"}', status=413)


@on_sqlite
def test_another_application_refuses_what_is_too_large_too(
    values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "LARGEST_BODY", 1000)
    with Configurator(settings=values | {"email.events": "brevo"}) as config:
        config.include("app.mail")
    app = TestApp(config.make_wsgi_app())
    headers = {"Authorization": basic(SECRET)}
    app.post("/webhooks/email", b"x" * 1001, headers=headers, status=413)
    app.post("/webhooks/email", b"x", headers=headers, status=400)
    app.post("/webhooks/email", b"x", status=401)
    app.post_json("/webhooks/email", brevo_event("opened", ""), headers=headers, status=200)
    config.registry.database.dispose()


def test_tags_that_name_no_email_of_ours_are_counted(postmark: Service) -> None:
    email = postmark.sent()
    tag = postmark.tag(email)
    with postmark.app.registry.database.transaction(write=True) as session:
        session.delete(session.get_one(OutboxEmail, postmark.sent(2).id))
    for foreign in [
        Tags("the secret of another shop").of(email.id),
        postmark.app.registry.email_tags.of(email.id + 1),
        tag[:-1] + ("a" if tag[-1] != "a" else "b"),
        f"{tag}\x00",
        "\ud800",
        "",
    ]:
        postmark.call(postmark_event("HardBounce", foreign))
    assert postmark.source().unmatched == 6
    assert postmark.outbox.row(email).heard is None


@on_sqlite
def test_an_event_without_a_use_is_counted_apart(postmark: Service) -> None:
    postmark.call({"RecordType": "Open"})
    postmark.call({"RecordType": "of a later year"})
    source = postmark.source()
    assert (source.unused, source.unmatched) == (2, 0)


def test_delivered_after_bounced_leaves_it_bounced(postmark: Service, clock: Clock) -> None:
    email = postmark.sent()
    clock.advance(timedelta(hours=1))
    postmark.call(postmark_event("HardBounce", postmark.tag(email)))
    postmark.call(postmark_event("Delivery", postmark.tag(email)))
    row = postmark.outbox.row(email)
    assert row.state == State.BOUNCED
    assert row.reason == "550 5.1.1 The email account does not exist."
    assert row.delivered_at is not None


@on_sqlite
def test_a_list_of_5000_is_written_in_several_transactions(
    sendgrid: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = sendgrid.sent()
    # Without the fields of no use, so that the call stays within a megabyte.
    short = {"event": "deferred", "timestamp": 1795348805}
    told = [short | {"sg_event_id": str(number)} for number in range(5000)]
    told[::10] = [event | {"tag": sendgrid.tag(email)} for event in told[::10]]
    batches = []
    hear = webhook.hear
    monkeypatch.setattr(
        webhook, "hear", lambda *args, **more: batches.append(len(args[2])) or hear(*args, **more)
    )
    sendgrid.call(told)
    assert len(sendgrid.events()) == 500
    assert sendgrid.source().unmatched == 4500
    assert batches == [100] * 50
    sendgrid.call([])


def test_the_same_events_in_parallel_are_written_once(sendgrid: Service) -> None:
    emails = [sendgrid.sent(number) for number in range(20)]
    told = [sendgrid_event("bounce", sendgrid.tag(email)) for email in emails]
    calls = [told, told[::-1], told, told[::-1]]
    at_once(lambda call: Service(sendgrid.app).call(call), calls)
    assert sendgrid.events() == ["bounced"] * 20
    assert {sendgrid.outbox.row(email).state for email in emails} == {State.BOUNCED}


def signed(clock: Clock, body: dict[str, Any], key: str = KEY) -> dict[str, Any]:
    timestamp, token = str(int(clock().timestamp())), "651869375b9df3c98fc15c4889b102119add"
    signature = hmac.digest(key.encode(), f"{timestamp}{token}".encode(), sha256).hex()
    return body | {"signature": {"timestamp": timestamp, "token": token, "signature": signature}}


@on_sqlite
def test_mailgun_signs_its_calls(mailgun: Service, clock: Clock) -> None:
    email = mailgun.sent()
    event = mailgun_event("delivered", mailgun.tag(email))
    good = signed(clock, event)
    altered = [
        event,
        signed(clock, event, "another key"),
        good | {"signature": None},
        good | {"signature": {**good["signature"], "timestamp": "1"}},
        good | {"signature": {**good["signature"], "timestamp": "1" * 5000}},
        good | {"signature": {**good["signature"], "signature": "\ud800é"}},
        good | {"signature": {**good["signature"], "token": ["x"]}},
        [good],
    ]
    for body in altered:
        mailgun.call(body, status=401)
    mailgun.call(good, Authorization="", status=401)
    assert mailgun.events() == []
    # Mailgun repeats a failed call for eight hours.
    clock.advance(timedelta(hours=8))
    mailgun.call(good)
    assert mailgun.events() == ["delivered"]
    clock.advance(timedelta(hours=17))
    mailgun.call(good, status=401)


def test_amazon_asks_a_person_to_confirm(ses: Service, caplog: pytest.LogCaptureFixture) -> None:
    body = sns_confirmation()
    with caplog.at_level(logging.WARNING):
        ses.call(body, **{"Content-Type": "text/plain; charset=UTF-8"})
    assert ses.source().confirmation_link == body["SubscribeURL"]
    assert "pillarbox doctor" in caplog.text
    assert body["Token"] not in caplog.text
    ses.call(sns(ses_event("Delivery", "")))
    assert ses.source().confirmation_link is None
    ses.call(sns_confirmation(SubscribeURL="https://evil.example/"), status=400)


@on_sqlite
def test_the_link_by_which_amazon_asks_is_never_opened_by_us(
    ses: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[object] = []

    def refuse(*arguments: object, **options: object) -> None:
        reached.append(arguments)
        raise OSError("this test reaches nobody")

    # Whoever opens a link looks up its host first, and then connects.
    for owner, name in (
        (socket, "getaddrinfo"),
        (socket, "create_connection"),
        (socket.socket, "connect"),
        (socket.socket, "connect_ex"),
    ):
        monkeypatch.setattr(owner, name, refuse)
    for kind in ("SubscriptionConfirmation", "UnsubscribeConfirmation"):
        ses.call(sns_confirmation(kind))
    [finding] = doctor_events.check(ses.app.registry)
    assert sns_confirmation()["SubscribeURL"] in finding.cure
    assert reached == []


@on_sqlite
def test_a_notification_of_a_foreign_topic_changes_nothing(ses: Service) -> None:
    email = ses.sent()
    topic = "arn:aws:sns:us-east-1:444455556666:their-topic"
    ses.call(sns(ses_event("Bounce", Tags("their secret").of(email.id)), topic))
    ses.call(sns("Hello", topic))
    source = ses.source()
    assert (source.unmatched, source.unused) == (1, 1)
    assert ses.outbox.row(email).heard is None


@on_sqlite
def test_a_failure_of_ours_is_an_error_and_the_repeated_call_is_heard(
    postmark: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    email = postmark.sent()
    event = postmark_event("Delivery", postmark.tag(email))

    def fails(*args: object, **more: object) -> None:
        raise RuntimeError("out of order")

    with monkeypatch.context() as patched:
        patched.setattr(webhook, "hear", fails)
        postmark.call(event, status=500)
    postmark.call(event)
    assert postmark.events() == ["delivered"]


@on_sqlite
@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("ses", "X-SES-MESSAGE-TAGS"),
        ("postmark", "X-PM-Metadata-tag"),
        ("mailgun", "X-Mailgun-Variables"),
        ("sendgrid", "X-SMTPAPI"),
        ("brevo", "X-Mailin-custom"),
    ],
)
def test_the_relay_gets_the_tag_and_the_mailbox_shows_the_same_bytes(
    make_app: MakeApp,
    sending_values: dict[str, str],
    hire: Hire,
    relay: Relay,
    service: str,
    name: str,
) -> None:
    events = {"email.events": service, "email.events_secret": SECRET}
    app = make_app(sending_values | events)
    email = Outbox(app.registry).write()
    hire(app).run_once()
    [received] = relay.wait_for(1)
    tag = app.registry.email_tags.of(email.id)
    assert tag in message_from_bytes(received.message)[name]
    mailbox = another_browser(make_app(sending_values | events | {"email.debug": "true"}))
    assert mailbox.get(f"/dev/mailbox/{email.id}.eml").body == received.message
