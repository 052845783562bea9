"""The log names committed emails, and none that was rolled back."""

from contextlib import suppress

import pytest

from app.mail import Message, Recipient
from tests.support.outbox import Outbox, kind


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", logger="app.mail.service")
    return caplog


def numbers(log: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage().split()[2].removeprefix("email=") for record in log.records]


class Undone(Exception):
    """Ends the request's transaction."""


def message() -> Message:
    return Message(
        kind(), Recipient("ada@example.org"), "note:1", "A note for you", "<p>Hello</p>", "Hello\n"
    )


def test_an_email_is_named_once_its_transaction_has_committed(
    sending: Outbox, log: pytest.LogCaptureFixture
) -> None:
    with sending.registry.database.transaction(write=True) as session:
        email = sending.service(session).send_message(message(), key="note:1")
        assert log.text == ""
    assert [record.getMessage() for record in log.records] == [
        f"email written: email={email.id} kind=note state=queued"
    ]


def test_an_email_that_was_rolled_back_is_never_named(
    sending: Outbox, log: pytest.LogCaptureFixture
) -> None:
    with suppress(Undone), sending.registry.database.transaction(write=True) as session:
        sending.service(session).send_message(message(), key="note:1")
        raise Undone
    assert log.text == ""


def test_only_what_its_savepoints_kept_is_named(
    sending: Outbox, log: pytest.LogCaptureFixture
) -> None:
    with sending.registry.database.transaction(write=True) as session:
        service = sending.service(session)
        first = service.send_message(message(), key="note:1").id
        with session.begin_nested() as undone:
            service.send_message(message(), key="note:2")
            undone.rollback()
        with session.begin_nested():
            kept = service.send_message(message(), key="note:3").id
        with session.begin_nested() as outer:
            with session.begin_nested():
                service.send_message(message(), key="note:4")
            outer.rollback()
        assert log.text == ""
    assert numbers(log) == [str(first), str(kept)]
