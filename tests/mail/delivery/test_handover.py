"""From the outbox to a real SMTP server: what arrives, and what the rows then hold."""

import logging
import socket
import threading
from datetime import timedelta

import pytest
from pyramid.router import Router

from app.mail import InDoubt
from app.mail.delivery.worker import Delivery
from app.mail.outbox.claims import claim, release_leases
from app.mail.outbox.outcomes import begin_sending
from app.mail.outbox.retry_schedule import RETRY_DELAYS
from app.mail.smtp.mime import message_bytes
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.relay import PASSWORD, Relay
from tests.support.workers import Hire


@pytest.mark.parametrize("pipelining", [True, False])
def test_the_relay_gets_exactly_the_bytes_of_the_rows(
    outbox: Outbox, delivery: Delivery, relay: Relay, pipelining: bool
) -> None:
    relay.pipelining = pipelining
    emails = [outbox.write(number, text=f"Line\n.\n..dots {number}\n") for number in range(1, 6)]
    assert delivery.run_once() == 5
    assert [received.message for received in relay.received] == [message_bytes(e) for e in emails]
    assert [received.recipients for received in relay.received] == [[e.recipient] for e in emails]
    assert {outbox.row(email).state for email in emails} == {"sent"}


def test_one_connection_and_one_login_serve_many_emails(
    outbox: Outbox, delivery: Delivery, relay: Relay
) -> None:
    for number in range(25):
        outbox.write(number)
    delivery.run_once()
    assert len(relay.wait_for(25)) == 25
    assert relay.logins == [PASSWORD.encode()]


def test_a_sent_email_says_when_and_records_the_relays_words(
    outbox: Outbox, delivery: Delivery, clock: Clock
) -> None:
    email = outbox.write()
    clock.advance(timedelta(seconds=3))
    delivery.run_once()
    row = outbox.row(email)
    assert (row.state, row.sent_at, row.reason) == ("sent", clock.now, None)
    [attempt] = outbox.attempts(email)
    assert (attempt.outcome, attempt.phase, attempt.code) == ("accepted", "verdict", 250)
    assert (attempt.enhanced_code, attempt.reply) == ("2.0.0", "250 2.0.0 taken")


def test_a_body_with_a_secret_is_erased_when_it_is_sent_and_others_stay(
    outbox: Outbox, delivery: Delivery
) -> None:
    secret = outbox.write(1, of=kind("secret", carries_secret=True))
    open_letter = outbox.write(2)
    delivery.run_once()
    assert not outbox.row(secret).has_body
    assert outbox.row(secret).subject == "Note 1 for you"
    assert outbox.row(open_letter).has_body


@pytest.mark.parametrize("phase", ["rcpt", "verdict"])
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refused_recipient_is_failed_and_never_sent(
    outbox: Outbox, delivery: Delivery, relay: Relay, phase: str, pipelining: bool
) -> None:
    relay.pipelining = pipelining
    replies = relay.rcpt_replies if phase == "rcpt" else relay.data_replies
    replies += ["250 OK", "550 5.1.1 no such mailbox"]
    first, refused, third = (outbox.write(number) for number in (1, 2, 3))
    delivery.run_once()
    assert [outbox.row(email).state for email in (first, refused, third)] == [
        "sent",
        "failed",
        "sent",
    ]
    assert outbox.row(refused).reason == "550 5.1.1 no such mailbox"
    [attempt] = outbox.attempts(refused)
    assert (attempt.phase, attempt.code, attempt.enhanced_code) == (phase, 550, "5.1.1")
    assert [received.recipients[0] for received in relay.received] == [
        first.recipient,
        third.recipient,
    ]


def test_a_4xx_is_retried_on_its_schedule_and_fails_after_48_hours(
    outbox: Outbox, delivery: Delivery, relay: Relay, clock: Clock
) -> None:
    email = outbox.write()
    relay.data_replies += ["452 4.2.2 mailbox full"] * 20
    start = clock.now
    waits = []
    while outbox.row(email).state == "queued":
        due = outbox.row(email).next_attempt_at
        assert due is not None
        clock.now = due
        delivery.run_once()
        following = outbox.row(email).next_attempt_at
        if outbox.row(email).state == "queued":
            assert following is not None
            waits.append(following - due)
    assert outbox.row(email).state == "failed"
    assert "mailbox full" in (outbox.row(email).reason or "")
    assert len(waits) == len(RETRY_DELAYS)
    for wait, delay in zip(waits, RETRY_DELAYS, strict=True):
        assert delay <= wait <= delay * 1.1
    assert timedelta(hours=36) < clock.now - start < timedelta(hours=53)
    assert len(outbox.attempts(email)) == len(RETRY_DELAYS) + 1


def test_a_retry_keeps_the_message_id_and_the_bytes(
    outbox: Outbox, delivery: Delivery, relay: Relay, clock: Clock
) -> None:
    email = outbox.write()
    relay.data_replies.append("451 4.3.0 try again")
    delivery.run_once()
    assert outbox.row(email).state == "queued"
    clock.advance(timedelta(minutes=2))
    delivery.run_once()
    assert [received.message for received in relay.received] == [message_bytes(email)]


def test_a_relay_that_is_down_uses_up_no_attempt_and_gets_everything_when_it_is_back(
    outbox: Outbox, delivery: Delivery, relay: Relay, clock: Clock
) -> None:
    relay.stop()
    emails = [outbox.write(number) for number in range(3)]
    for _ in range(30):
        delivery.run_once()
        clock.advance(timedelta(minutes=5))
    for email in emails:
        row = outbox.row(email)
        assert (row.state, row.attempts) == ("queued", 0)
        assert row.reason == "waits for the relay: connect: Connection refused"
    relay.start()
    delivery.run_once()
    assert len(relay.received) == 3
    assert {outbox.row(email).state for email in emails} == {"sent"}
    assert outbox.row(emails[0]).reason is None


def test_an_email_waits_for_a_dead_relay_no_longer_than_its_time_to_live(
    outbox: Outbox, delivery: Delivery, relay: Relay, clock: Clock
) -> None:
    relay.stop()
    email = outbox.write(of=kind("brief", time_to_live=timedelta(minutes=30), carries_secret=True))
    delivery.run_once()
    clock.advance(timedelta(minutes=31))
    relay.start()
    delivery.run_once()
    assert outbox.row(email).state == "expired"
    assert not outbox.row(email).has_body
    assert relay.received == []


def test_a_certificate_of_another_authority_stops_everything_before_the_password(
    outbox: Outbox,
    delivery: Delivery,
    relay: Relay,
    other_certificate: Certificate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    relay.stop()
    relay.certificate = other_certificate
    relay.start()
    email = outbox.write()
    with caplog.at_level(logging.INFO):
        delivery.run_once()
    row = outbox.row(email)
    assert (row.state, row.attempts) == ("queued", 0)
    assert "certificate verify failed" in (row.reason or "")
    assert "certificate verify failed" in caplog.text
    assert (relay.received, relay.logins) == ([], [])
    assert PASSWORD not in caplog.text


def test_a_wrong_host_name_is_refused_like_a_wrong_authority(
    make_app: MakeApp,
    sending_values: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
    relay: Relay,
    hire: Hire,
) -> None:
    from tests.support.certificates import issue

    relay.stop()
    relay.certificate = issue(tmp_path_factory.mktemp("other"), "elsewhere", "mail.example.org")
    relay.start()
    values = sending_values | {"email.smtp_ca_file": str(relay.certificate.ca)}
    app = make_app(values)
    email = Outbox(app.registry).write()
    worker = hire(app)
    worker.run_once()
    worker.stop()
    assert "certificate verify failed" in (Outbox(app.registry).row(email).reason or "")
    assert relay.logins == []


def test_a_refused_login_gives_the_relay_a_rest_and_is_logged_without_the_password(
    make_app: MakeApp,
    sending_values: dict[str, str],
    relay: Relay,
    caplog: pytest.LogCaptureFixture,
    hire: Hire,
) -> None:
    app = make_app(sending_values | {"email.smtp_password": "another password"})
    email = Outbox(app.registry).write()
    worker = hire(app)
    with caplog.at_level(logging.DEBUG):
        worker.run_once()
    worker.stop()
    assert "auth: the relay refused the login" in (Outbox(app.registry).row(email).reason or "")
    assert relay.received == []
    assert "another password" not in caplog.text


def test_implicit_tls_delivers_too(
    make_app: MakeApp,
    sending_values: dict[str, str],
    certificate: Certificate,
    hire: Hire,
) -> None:
    with Relay(certificate, implicit_tls=True) as relay:
        values = sending_values | {
            "email.smtp_port": str(relay.port),
            "email.smtp_security": "tls",
        }
        app = make_app(values)
        email = Outbox(app.registry).write()
        worker = hire(app)
        worker.run_once()
        worker.stop()
        assert [received.message for received in relay.received] == [message_bytes(email)]


def test_debug_mode_captures_and_opens_no_socket(
    make_app: MakeApp,
    sending_values: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    hire: Hire,
) -> None:
    app = make_app(sending_values | {"email.debug": "true"})
    outbox = Outbox(app.registry)
    email = outbox.write()

    def no_socket(*arguments: object, **options: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "create_connection", no_socket)
    worker = hire(app)
    worker.run_once()
    worker.stop()
    assert outbox.row(email).state == "captured"
    assert outbox.row(email).has_body


def test_debug_recipients_really_get_their_email(
    make_app: MakeApp,
    sending_values: dict[str, str],
    relay: Relay,
    hire: Hire,
) -> None:
    values = sending_values | {
        "email.debug": "true",
        "email.debug_recipients": "dev@example.org *@team.example.org",
    }
    app = make_app(values)
    outbox = Outbox(app.registry)
    outbox.write(1, address="dev@example.org")
    outbox.write(2, address="Anna@Team.example.org")
    stranger = outbox.write(3, address="customer@example.org")
    worker = hire(app)
    worker.run_once()
    worker.stop()
    assert [received.recipients[0].lower() for received in relay.received] == [
        "dev@example.org",
        "anna@team.example.org",
    ]
    assert outbox.row(stranger).state == "captured"


def test_debug_mode_captures_what_an_earlier_run_had_queued(
    app: Router,
    make_app: MakeApp,
    sending_values: dict[str, str],
    relay: Relay,
    hire: Hire,
) -> None:
    email = Outbox(app.registry).write()
    debugging = make_app(sending_values | {"email.debug": "true"})
    Outbox(debugging.registry).registry.email_kinds.add(kind())
    worker = hire(debugging)
    worker.run_once()
    worker.stop()
    assert Outbox(app.registry).row(email).state == "captured"
    assert relay.received == []


def test_the_running_worker_delivers_what_is_committed_within_moments(
    outbox: Outbox, delivery: Delivery, relay: Relay
) -> None:
    delivery.start()
    emails = [outbox.write(number) for number in range(20)]
    relay.wait_for(20)
    delivery.stop()
    assert {outbox.row(email).state for email in emails} == {"sent"}
    assert len({received.message for received in relay.received}) == 20


def test_two_workers_share_the_queue_and_double_nothing(
    app: Router, outbox: Outbox, relay: Relay, hire: Hire
) -> None:
    emails = [outbox.write(number) for number in range(60)]
    workers = [hire(app) for _ in range(2)]
    for worker in workers:
        worker.start()
    relay.wait_for(60)
    for worker in workers:
        worker.stop()
    ids = [
        received.message.split(b"Message-ID: ")[1].split(b"\r\n")[0] for received in relay.received
    ]
    assert sorted(ids) == sorted(email.message_id.encode() for email in emails)


def test_security_goes_before_receipts(outbox: Outbox, delivery: Delivery, relay: Relay) -> None:
    from app.mail import Priority

    for number in range(3):
        outbox.write(number, of=kind("receipt", priority=Priority.RECEIPT))
    outbox.write(9, of=kind("reset", priority=Priority.SECURITY))
    delivery.run_once()
    assert relay.received[0].recipients == ["customer9@example.org"]


def test_a_kind_that_no_longer_exists_fails_alone(
    make_app: MakeApp,
    sending_values: dict[str, str],
    outbox: Outbox,
    relay: Relay,
    hire: Hire,
) -> None:
    orphan = outbox.write(1, of=kind("forgotten"))
    known = outbox.write(2)
    other = make_app(sending_values)
    other.registry.email_kinds.add(kind())
    worker = hire(other)
    worker.run_once()
    worker.stop()
    assert outbox.row(orphan).state == "failed"
    assert "forgotten" in (outbox.row(orphan).reason or "")
    assert outbox.row(known).state == "sent"


@pytest.mark.parametrize(
    ("policy", "state"), [(InDoubt.RESEND, "queued"), (InDoubt.HOLD, "unknown")]
)
def test_an_email_whose_worker_died_after_the_final_dot_follows_its_kinds_policy(
    app: Router, outbox: Outbox, delivery: Delivery, policy: InDoubt, state: str, clock: Clock
) -> None:
    email = outbox.write(of=kind("doubtful", in_doubt=policy))
    with app.registry.database.transaction(write=True) as session:
        [claimed] = claim(session, "lock-123456789", clock(), 10)
        assert begin_sending(session.connection(), claimed, "lock-123456789", clock())
    delivery.run_once()
    row = outbox.row(email)
    assert (row.state, row.message_id) == (state, email.message_id)
    [attempt] = outbox.attempts(email)
    assert attempt.outcome == "in doubt"


def test_a_queued_email_of_a_dead_worker_goes_out_at_once(
    app: Router, outbox: Outbox, delivery: Delivery, relay: Relay, clock: Clock
) -> None:
    email = outbox.write()
    with app.registry.database.transaction(write=True) as session:
        assert claim(session, "lock-123456789", clock(), 10)
    delivery.run_once()
    assert outbox.row(email).state == "sent"


def test_stopping_puts_an_email_whose_verdict_is_missing_in_doubt(
    app: Router, outbox: Outbox, relay: Relay, hire: Hire
) -> None:
    held = threading.Event()
    email = outbox.write(of=kind("held", in_doubt=InDoubt.HOLD))
    worker = hire(app)
    relay.before_verdict = held.wait
    worker.start()
    assert relay.body_arrived.wait(20)
    worker.stop(seconds=0.2)
    held.set()
    assert outbox.row(email).state == "unknown"


@pytest.mark.parametrize("reply", ["451 4.7.1 too many messages to {}", "421 4.3.2 not for {}"])
def test_what_a_relay_says_of_everybody_because_of_one_does_not_stop_the_others(
    outbox: Outbox,
    delivery: Delivery,
    relay: Relay,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
    reply: str,
) -> None:
    emails = [outbox.write(number) for number in (1, 2, 3)]
    relay.refuses[emails[0].recipient] = reply.format(emails[0].recipient)
    with caplog.at_level(logging.DEBUG, "app"):
        for _ in range(3):
            delivery.run_once()
            clock.advance(timedelta(seconds=5))
    assert [outbox.row(email).state for email in emails] == ["queued", "sent", "sent"]
    assert outbox.row(emails[0]).attempts == 0
    # The relay's reply names a customer, so it is recorded only with that customer's attempts.
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("app.")]
    assert ours
    assert emails[0].recipient not in "\n".join(ours)
    assert emails[0].recipient not in (outbox.row(emails[1]).reason or "")
    assert emails[0].recipient in outbox.attempts(emails[0])[0].reply


def test_a_reply_about_the_rate_of_one_mailbox_defers_only_its_own_email(
    outbox: Outbox, delivery: Delivery, relay: Relay
) -> None:
    emails = [outbox.write(number) for number in (1, 2)]
    relay.refuses[emails[0].recipient] = "450 4.2.1 this user receives too many messages"
    delivery.run_once()
    assert [outbox.row(email).state for email in emails] == ["queued", "sent"]
    assert outbox.row(emails[0]).attempts == 1


def test_a_worker_keeps_its_emails_in_progress_however_late_its_heartbeat(
    app: Router, outbox: Outbox, clock: Clock
) -> None:
    emails = [outbox.write(number) for number in (1, 2)]
    with app.registry.database.transaction(write=True) as session:
        first, second = claim(session, "lock-1", clock(), 10)
        assert begin_sending(session.connection(), first, "lock-1", clock())
        clock.advance(timedelta(minutes=2))
        assert claim(session, "lock-1", clock(), 10) == []
        ids = {first.id, second.id}
        assert release_leases(session, "lock-1", clock(), dead=False, in_progress=ids) == []
    assert [outbox.row(email).leased_by for email in emails] == ["lock-1", "lock-1"]
    assert outbox.row(emails[0]).state == "sending"
