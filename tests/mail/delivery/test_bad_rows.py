"""Rows that cannot be sent: each fails alone, with a reason and without an address in the log, and
the others are sent.
"""

import logging
from datetime import timedelta
from typing import Any

import pytest
from pyramid.router import Router

from app.mail import InDoubt
from app.mail.delivery import batch
from app.mail.outbox.claims import claim
from app.mail.outbox.tables import OutboxEmail, State
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.waiting import eventually
from tests.support.workers import Hire


@pytest.fixture
def app(scripted_app: Router) -> Router:
    return scripted_app


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"recipient": "ada@exa mple.org"}, "the address has a domain that cannot be"),
        ({"recipient": "ada@" + "ü" * 70 + ".example"}, "a domain that cannot be encoded"),
        ({"recipient": "nobody"}, "the address is not of the form name@domain"),
        ({"recipient": "a@b.example\r\nRCPT TO:<eve@example.org>"}, "a control character"),
        ({"recipient_name": "Ada\r\nBcc: eve@example.org"}, "a control character"),
        ({"recipient_name": "=?utf-8?q?Eve?="}, '"=?"'),
        ({"envelope_sender": "shop@exa mple.org"}, "the address has a domain that cannot be"),
        ({"envelope_sender": "shop@" + "ü" * 70 + ".example"}, "a domain that cannot be encoded"),
        ({"envelope_sender": "shöp@example.org"}, "the relay does not offer SMTPUTF8"),
        ({"sender": "Shop <shop>"}, "the address is not of the form name@domain"),
        ({"sender": "Shop\nBcc: eve@example.org <shop@example.org>"}, "a control character"),
        ({"reply_to": "help@example.org\nBcc: eve@example.org"}, "a control character"),
        ({"subject": "Hello\r\nBcc: eve@example.org"}, "a control character"),
        ({"locale": "en\r\nBcc: eve"}, "a control character"),
        ({"html_body": None, "text_body": None}, "its bodies were erased"),
        ({"kind": "forgotten"}, "there is no kind of email named 'forgotten' any more"),
        ({"text_body": "A line.\n" * 3_750_000}, "octets and the relay takes 20000000"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_a_row_that_cannot_go_out_fails_alone(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    values: dict[str, Any],
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emails = [outbox.write(number) for number in (1, 2, 3)]
    outbox.change(emails[1], **values)
    with caplog.at_level(logging.DEBUG):
        hire(app).run_once()
    rows = [outbox.row(email) for email in emails]
    assert [row.state for row in rows] == ["sent", "failed", "sent"]
    assert reason in (rows[1].reason or "")
    assert rows[1].leased_by is None
    assert scripted.received == [emails[0].message_id, emails[2].message_id]
    assert scripted.violations == []
    assert "example" not in caplog.text
    assert all(b"Bcc" not in message for message in scripted.messages)


def test_a_serialiser_that_fails_fails_one_email_and_is_logged_with_its_traceback(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emails = [outbox.write(number) for number in (1, 2, 3)]
    message_bytes = batch.message_bytes

    def fails_once(email: OutboxEmail, tag: tuple[str, str] | None) -> bytes:
        if email.id == emails[1].id:
            raise MemoryError("customer2@example.org")
        return message_bytes(email, tag)

    monkeypatch.setattr(batch, "message_bytes", fails_once)
    hire(app).run_once()
    rows = [outbox.row(email) for email in emails]
    assert [row.state for row in rows] == ["sent", "failed", "sent"]
    assert rows[1].reason == "cannot be written as a message: MemoryError"
    [record] = [record for record in caplog.records if record.exc_info]
    assert f"email={emails[1].id}" in record.getMessage()


@pytest.mark.parametrize("policy", [InDoubt.RESEND, InDoubt.HOLD])
def test_an_email_in_doubt_whose_kind_no_longer_exists_is_held(
    outbox: Outbox, app: Router, hire: Hire, policy: InDoubt, clock: Clock
) -> None:
    doubtful = outbox.write(1, of=kind("doubtful", in_doubt=policy))
    with app.registry.database.transaction(write=True) as session:
        assert claim(session, "lock-4711", clock(), 10)
    outbox.change(doubtful, kind="forgotten", state=State.SENDING)
    other = outbox.write(2)
    hire(app).run_once()
    assert outbox.row(doubtful).state == "unknown"
    assert outbox.row(other).state == "sent"


def test_a_queue_full_of_bad_rows_does_not_keep_a_running_worker_from_the_good_ones(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP
) -> None:
    bad = [outbox.write(number) for number in range(45)]
    for email in bad:
        outbox.change(email, envelope_sender="nobody")
    good = outbox.write(99)
    hire(app).start()
    scripted.wait_for(1)
    eventually(lambda: outbox.row(good).state == State.SENT)
    eventually(lambda: {outbox.row(email).state for email in bad} == {State.FAILED})


def test_an_email_that_is_superseded_suppressed_and_late_all_at_once_ends_once(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    brief = kind("brief", time_to_live=timedelta(minutes=1), supersedes=True, carries_secret=True)
    older = outbox.write(1, of=brief, key="brief:1")
    newer = outbox.write(1, of=brief, key="brief:2")
    outbox.change(older, state=State.QUEUED, next_attempt_at=clock())
    clock.advance(timedelta(minutes=1))
    hire(app).run_once()
    assert [outbox.row(email).state for email in (older, newer)] == ["expired", "expired"]
    assert [outbox.row(email).has_body for email in (older, newer)] == [False, False]
    assert scripted.connections == 0
