"""What is still worth sending to an address that is no longer suppressed."""

from datetime import timedelta

import pytest

from app.mail.outbox import decisions
from app.mail.outbox.tables import State
from app.mail.outbox.worth_sending import Found, worth_sending
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind, put

ADA = "ada@example.org"


def found(outbox: Outbox) -> Found:
    registry = outbox.registry
    with registry.database.transaction(write=False) as session:
        return worth_sending(session, ADA, registry.email_kinds, registry.clock())


def ids(outbox: Outbox) -> list[int]:
    return [email.id for email in found(outbox).emails]


@pytest.mark.parametrize("state", list(State))
def test_only_what_did_not_reach_the_address(sending: Outbox, state: State) -> None:
    email = put(sending, sending.write(1, address=ADA), state)
    sending.write(2, address="berta@example.org")
    missed = state in (State.SUPPRESSED, State.BOUNCED, State.FAILED)
    assert ids(sending) == ([email.id] if missed else [])


def test_not_what_has_outlived_its_time(sending: Outbox, clock: Clock) -> None:
    email = put(sending, sending.write(1, address=ADA), State.SUPPRESSED)
    clock.advance(kind().time_to_live - timedelta(seconds=1))
    assert ids(sending) == [email.id]
    clock.advance(timedelta(seconds=1))
    assert ids(sending) == []


def test_not_what_a_newer_one_about_the_same_thing_supersedes(sending: Outbox) -> None:
    newest = kind("newest", supersedes=True)
    older = sending.write(1, of=newest, address=ADA, key="older")
    put(sending, older, State.SUPPRESSED)
    put(sending, sending.write(1, of=newest, address=ADA, key="newer"), State.SENT)
    assert ids(sending) == []


def test_a_bounced_email_is_not_copied_twice(sending: Outbox) -> None:
    email = put(sending, sending.write(1, address=ADA), State.BOUNCED)
    assert ids(sending) == [email.id]
    registry = sending.registry
    with registry.database.transaction(write=True) as session:
        row = session.get_one(type(email), email.id)
        arguments = (registry.email_kinds.get("note"), registry.clock(), registry.email_composer)
        copy = decisions.resend(session, row, *arguments)
    assert ids(sending) == []
    put(sending, copy, State.BOUNCED)
    assert ids(sending) == [copy.id]


def test_what_carried_a_secret_is_named_as_erased(sending: Outbox) -> None:
    sending.suppress(ADA)
    secret = sending.write(1, of=kind("secret", carries_secret=True), address=ADA)
    assert [email.id for email in found(sending).erased] == [secret.id]
    assert ids(sending) == []
