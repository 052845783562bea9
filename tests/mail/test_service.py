"""What ``send_message`` does with a message: it is queued, or never sent, with a reason."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
from jinja2 import DictLoader
from pyramid.router import Router

from app.mail import Attachment, KeyTaken, RateLimit, Recipient
from app.mail.composing.composer import Composer
from app.mail.delivery.worker import Delivery
from app.mail.outbox.claims import claim
from app.mail.outbox.outcomes import Settlement, begin_sending, deferred, settle, settlement_of
from app.mail.outbox.tables import SuppressedAddress
from app.mail.problems import LARGEST
from app.mail.smtp.mailer import Mailer
from app.mail.smtp.replies import Outcome, Phase, Verdict
from app.mail.testing import Mailbox
from tests.support.accounts import sign_up
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.outbox import RECEIPT, Note, Outbox, attachments, kind

HOUR = timedelta(hours=1)


@pytest.fixture
def worker(sending: Outbox) -> Iterator[Delivery]:
    """A worker whose test fails if it contacts a relay."""

    class NoRelay(Mailer):
        def connect(self) -> None:
            raise AssertionError("the relay was asked")

    registry = sending.registry
    worker = Delivery(registry, lambda: NoRelay(registry.pillarbox.email))
    yield worker
    worker.stop()


# --- Keys ---------------------------------------------------------------------


def test_the_same_key_twice_is_one_email(sending: Outbox) -> None:
    first = sending.write(1, key="note:7")
    again = sending.write(1, key="note:7", subject="Other words this time")
    assert (again.id, again.subject) == (first.id, "Note 1 for you")


@pytest.mark.parametrize("change", [{"of": kind("other")}, {"address": "eve@example.org"}])
def test_a_key_of_another_kind_or_recipient_is_refused(
    sending: Outbox, change: dict[str, object]
) -> None:
    sending.write(1, key="note:7")
    with pytest.raises(KeyTaken):
        sending.write(1, key="note:7", **change)


# --- Limits -------------------------------------------------------------------


def test_what_is_over_a_recipients_limit_is_throttled_until_its_period_is_over(
    sending: Outbox, clock: Clock
) -> None:
    limited = kind("limited", limit=RateLimit(2, HOUR))
    states = []
    for number in range(4):
        email = sending.write(number, of=limited, address="ada@example.org")
        states.append(email.state)
        clock.advance(timedelta(minutes=1))
    assert states == ["queued", "queued", "throttled", "throttled"]
    assert "limit of 2" in (email.reason or "")
    assert email.next_attempt_at is None
    clock.advance(HOUR)
    assert sending.write(5, of=limited, address="ada@example.org").state == "queued"


def test_a_limit_counts_each_recipient_and_kind_alone(sending: Outbox) -> None:
    limited, other = (kind(name, limit=RateLimit(1, HOUR)) for name in ("limited", "other"))
    sending.write(1, of=limited, address="ada@example.org")
    assert sending.write(2, of=limited, address="bob@example.org").state == "queued"
    assert sending.write(3, of=other, address="ada@example.org").state == "queued"


def test_writing_an_address_in_another_case_does_not_pass_its_limit(sending: Outbox) -> None:
    limited = kind("limited", limit=RateLimit(1, HOUR))
    sending.write(1, of=limited, address="ada@example.org")
    assert sending.write(2, of=limited, address="ADA@Example.org").state == "throttled"


def test_a_throttled_email_with_a_secret_keeps_no_body_and_supersedes_nothing(
    sending: Outbox,
) -> None:
    reset = kind("reset", limit=RateLimit(1, HOUR), carries_secret=True, supersedes=True)
    first = sending.write(1, of=reset, about="account:1")
    second = sending.write(1, of=reset, about="account:1", key="reset:2")
    assert (second.state, second.has_body) == ("throttled", False)
    assert sending.row(first).state == "queued"


# --- Suppression --------------------------------------------------------------


def test_a_suppressed_address_gets_nothing_however_it_is_written(sending: Outbox) -> None:
    sending.suppress("ada@example.org")
    email = sending.write(1, address="Ada@Example.org")
    assert (email.state, email.reason) == ("suppressed", "it bounced")


def test_an_address_suppressed_meanwhile_gets_nothing_either(
    sending: Outbox, worker: Delivery
) -> None:
    email = sending.write(1, address="Ada@example.org")
    sending.suppress("ada@example.org")
    worker.run_once()
    assert (sending.row(email).state, sending.row(email).reason) == ("suppressed", "it bounced")


# --- Debug mode ---------------------------------------------------------------


def test_debug_mode_captures_with_the_body_even_of_secrets(app: Router) -> None:
    outbox = Outbox(app.registry)
    email = outbox.write(1, of=kind("secret", carries_secret=True))
    assert (email.state, email.has_body, email.next_attempt_at) == ("captured", True, None)


# --- Superseding and time to live ---------------------------------------------


def test_a_newer_email_about_the_same_thing_supersedes_the_queued_older_one(
    sending: Outbox,
) -> None:
    reset = kind("reset", supersedes=True, carries_secret=True)
    older = sending.write(1, of=reset, about="account:1", key="reset:1", attachments=(RECEIPT,))
    other = sending.write(2, of=reset, about="account:2", key="reset:2")
    newer = sending.write(1, of=reset, about="account:1", key="reset:3")
    row = sending.row(older)
    assert (row.state, row.has_body, row.attachments) == ("superseded", False, [])
    assert row.reason == f"email {newer.id} about the same thing is newer"
    assert {sending.row(email).state for email in (other, newer)} == {"queued"}
    assert attachments(sending) == 0


def test_an_email_that_comes_back_to_the_queue_after_a_newer_one_is_superseded_then(
    sending: Outbox, worker: Delivery, clock: Clock
) -> None:
    reset = kind("reset", supersedes=True, time_to_live=HOUR)
    older = sending.write(1, of=reset, about="account:1", key="reset:1")
    database = sending.registry.database
    with database.transaction(write=True) as session:
        [claimed] = claim(session, "lease-1", clock(), 1)
        assert begin_sending(session.connection(), claimed, "lease-1", clock())
    newer = sending.write(1, of=reset, about="account:1", key="reset:2")
    with database.transaction(write=True) as session:
        lost = Verdict(Outcome.LOST, Phase.BODY, "gone")
        settlement = settlement_of(claimed, reset, lost, clock(), blameless=True)
        assert settle(session.connection(), settlement, "lease-1")
    worker.run_once(only=older.id)
    assert sending.row(older).state == "superseded"
    assert sending.row(newer).state == "queued"


def test_an_email_whose_time_is_over_is_expired_and_its_secret_erased(
    sending: Outbox, worker: Delivery, clock: Clock
) -> None:
    reset = kind("reset", time_to_live=timedelta(minutes=30), carries_secret=True)
    email = sending.write(1, of=reset, attachments=(RECEIPT,))
    clock.advance(timedelta(minutes=30))
    worker.run_once()
    assert (sending.row(email).state, sending.row(email).has_body) == ("expired", False)
    assert attachments(sending) == 0


def test_an_email_that_expires_while_its_batch_is_sent_does_not_begin(
    sending: Outbox, clock: Clock
) -> None:
    sending.write(1, of=kind("reset", time_to_live=timedelta(seconds=10)))
    with sending.registry.database.transaction(write=True) as session:
        [claimed] = claim(session, "lease-1", clock(), 1)
        clock.advance(timedelta(seconds=10))
        assert not begin_sending(session.connection(), claimed, "lease-1", clock())


def test_a_retry_waits_no_longer_than_the_email_is_worth_sending(
    sending: Outbox, clock: Clock
) -> None:
    email = sending.write(1, of=kind("reset", time_to_live=timedelta(seconds=40)))
    verdict = Verdict(Outcome.DEFERRED, Phase.RCPT, "451 later")
    with sending.registry.database.transaction(write=True) as session:
        [claimed] = claim(session, "lease-1", clock(), 1)
        columns = deferred(claimed, verdict, clock(), jitter=1)
        settlement = Settlement(claimed, verdict, clock(), columns)
        assert settle(session.connection(), settlement, "lease-1")
    assert sending.row(email).next_attempt_at == email.expires_at


# --- Bad input ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        ({"name": "Ada\x00"}, "the name contains a control character"),
        ({"name": "Ada\ud800"}, "the name contains half a character"),
        ({"name": "Ada\r\nBcc: eve@example.org"}, "the name contains a control character"),
        ({"subject": "Hello\x00"}, "the subject contains a control character"),
        ({"subject": "Hello\udfff"}, "the subject contains half a character"),
        ({"html": "<p>\x00</p>"}, "the body contains a NUL character"),
        ({"text": "half \ud83d"}, "the body contains half a character"),
        ({"address": "ada@\udcff.example"}, "the address contains half a character"),
        ({"address": "ada@" + "ü" * 70 + ".example"}, "a domain that cannot be encoded"),
        ({"address": "ada@exa mple.org"}, "the address has a domain that cannot be"),
        ({"address": "nobody"}, "the address is not of the form name@domain"),
        ({"address": "a@" + "b" * 253}, "the address is longer than 254 octets"),
        ({"address": "a" * 64 + "@" + "\u00fc." * 25 + "org"}, "longer than 254"),
        ({"address": "a" * 5000 + "@example.org"}, "the address is longer"),
        ({"text": "x" * 30_000_000}, f"the most is {LARGEST}"),
        (
            {"attachments": (Attachment("a.pdf", "application/pdf", bytes(30_000_000)),)},
            f"the most is {LARGEST}",
        ),
        (
            {"attachments": (Attachment("a\x00.pdf", "application/pdf", b""),)},
            "the name of an attachment contains a control character",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value[:40],
)
def test_what_cannot_be_written_as_an_email_fails_alone_with_a_reason(
    sending: Outbox, damage: dict[str, object], reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = sending.write(1, **damage)
    assert (bad.state, bad.has_body) == ("failed", False)
    assert reason in (bad.reason or "")
    assert sending.write(2).state == "queued"
    assert attachments(sending) == 0
    assert "example" not in caplog.text


def test_a_template_that_raises_leaves_a_failed_row_and_the_act_stands(
    sending: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    registry = sending.registry
    broken = kind("broken")
    registry.email_kinds.add(broken)
    composer = Composer(
        registry.pillarbox.site,
        registry.pillarbox.email.brand,
        DictLoader({"email/broken.jinja2": "{{ nobody }}"}),
    )
    with registry.database.transaction(write=True) as session:
        now = registry.clock()
        session.add(
            SuppressedAddress(address="the act", reason="itself", created_at=now, until=now)
        )
        message = composer.compose(broken, Note(), to=Recipient("ada@example.org"), about="note:1")
        email = sending.service(session).send_message(message, key="broken:1")
    assert email.state == "failed"
    assert email.reason == (
        "could not be composed: UndefinedError: 'nobody' is undefined in <template>, line 1"
    )
    [record] = [record for record in caplog.records if record.name == "app.mail.composing.composer"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    with registry.database.transaction(write=False) as session:
        assert session.get(SuppressedAddress, "the act") is not None


def test_a_request_whose_email_cannot_be_composed_is_answered_as_ever(
    app: Router, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> str:
        raise RuntimeError("the template is broken")

    healthy = sign_up(another_browser(app), "ada@example.org")
    monkeypatch.setattr(app.registry.email_composer, "raises", False)
    monkeypatch.setattr(app.registry.email_composer, "_render", broken)
    response = sign_up(another_browser(app), "bob@example.org")
    assert (response.status, response.location) == (healthy.status, healthy.location)
    assert mailbox.latest(to="bob@example.org").state == "failed"
