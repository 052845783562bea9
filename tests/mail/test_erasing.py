"""Erasing a recipient: what happened stays countable, and nothing tells who it was."""

from pathlib import Path

import pytest
from sqlalchemy import select

from app.mail.copying import copy_for, copy_key
from app.mail.erasing import erase_recipient
from app.mail.events.hearing import Counts
from app.mail.outbox.event_tables import EmailEvent, Event
from app.mail.outbox.tables import ERASED, State, SuppressedAddress
from tests.mail.events.test_hearing import about, tell
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.outbox import RECEIPT, Outbox, attachments, kind, put
from tests.support.relay import Relay
from tests.support.workers import Hire

ADA = "ada@example.org"


def erase(outbox: Outbox, address: str = ADA, limit: int = 100) -> int:
    with outbox.registry.database.transaction(write=True) as session:
        return erase_recipient(session, address, limit)


def test_what_happened_stays_and_who_it_was_goes(
    make_app: MakeApp, sending_values: dict[str, str], relay: Relay, hire: Hire
) -> None:
    app = make_app(sending_values)
    outbox = Outbox(app.registry)
    email = outbox.write(1, address=ADA, name="Ada Lovelace", attachments=(RECEIPT,))
    other = outbox.write(2)
    hire(app).run_once()
    tell(outbox, about(outbox, email, Event.BOUNCED, code="5.1.1", words=f"{ADA} is unknown"))
    assert erase(outbox, "Ada@Example.org") == 1
    row = outbox.row(email)
    assert (row.kind, row.state, row.key) == ("note", State.BOUNCED, email.key)
    assert (row.recipient, row.recipient_name, row.subject, row.reason) == (
        ERASED,
        "",
        ERASED,
        ERASED,
    )
    assert (row.has_body, attachments(outbox)) == (False, 0)
    assert [attempt.reply for attempt in outbox.attempts(email)] == [ERASED]
    with outbox.registry.database.transaction(write=False) as session:
        assert session.scalars(select(EmailEvent)).all() == []
        assert session.get(SuppressedAddress, ADA) is None
    assert outbox.row(other).recipient == other.recipient


def test_an_email_that_waits_is_cancelled(sending: Outbox) -> None:
    waiting, held = sending.write(1, address=ADA), sending.write(2, address=ADA)
    put(sending, held, State.UNKNOWN)
    assert erase(sending) == 2
    assert {sending.row(email).state for email in (waiting, held)} == {State.CANCELLED}


def test_an_email_that_is_being_sent_is_left_for_later(sending: Outbox) -> None:
    email = put(sending, sending.write(1, address=ADA), State.SENDING, leased_by="a worker")
    assert erase(sending) == 0
    assert sending.row(email).recipient == ADA


def test_an_event_about_an_erased_email_is_about_nobody(sending: Outbox) -> None:
    email = put(sending, sending.write(1, address=ADA), State.SENT)
    heard = about(sending, email, Event.BOUNCED, words=f"{ADA} is unknown")
    erase(sending)
    assert tell(sending, heard) == Counts(unmatched=1)
    assert sending.row(email).reason == ERASED


def test_many_emails_go_in_batches(sending: Outbox) -> None:
    for number in range(5):
        sending.write(number, address=ADA)
    assert [erase(sending, limit=2) for _ in range(4)] == [2, 2, 1, 0]


@on_sqlite
@pytest.mark.parametrize("secret", [True, False])
def test_nothing_is_left_in_the_databases_files(
    sending: Outbox, tmp_path: Path, secret: bool
) -> None:
    words = {
        "address": "ada.lovelace@example.org",
        "name": "Augusta Ada King",
        "subject": "Subject of a lovely email",
        "html": "<p>A body of many words</p>" * 999,
        "text": "Another body of many words\n" * 999,
    }
    of = kind("secret" if secret else "note", carries_secret=secret)
    email = sending.write(1, of=of, **words)
    put(sending, email, State.SENT, reason="550 a word of the relay")
    tell(sending, about(sending, email, Event.DEFERRED, words="A word of the service"))
    database = sending.registry.database
    erase(sending, words["address"])
    assert database.empty_log()
    path = Path(database.engine.url.database or "")
    files = [path, *path.parent.glob(f"{path.name}-*")]
    content = b"".join(file.read_bytes() for file in files if file.is_file())
    assert b"note:1" in content or b"secret:1" in content
    gone = [
        *words.values(),
        "A body of many",
        "Another body of",
        "a word of the relay",
        "A word of",
    ]
    assert [word for word in gone if word.encode() in content] == []


def test_the_copies_that_staff_sent_to_themselves_go_too(outbox: Outbox) -> None:
    email = outbox.write(1, address=ADA, name="Ada Lovelace")
    message = copy_for("sam@example.org", email, kind("note"))
    with outbox.registry.database.transaction(write=True) as session:
        copy = outbox.service(session).send_message(message, key=copy_key())
    assert outbox.row(copy).has_body
    assert erase(outbox) == 1
    row = outbox.row(copy)
    assert (row.subject, row.has_body) == (ERASED, False)
