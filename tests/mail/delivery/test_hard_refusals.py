"""A relay that refuses RCPT because the address takes no email: nothing is sent to that address for
a while. Other refusals suppress nothing.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from app.mail.events import suppression
from app.mail.outbox.tables import SuppressedAddress
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At, Fault
from tests.support.workers import Hire

NO_MAILBOX = "550 5.1.1 <customer1@example.org>: Recipient address rejected: User unknown"

Shop = Callable[[ScriptedSMTP], tuple[Router, Outbox]]


@pytest.fixture
def shop(make_app: MakeApp, settings_values: dict[str, str]) -> Shop:
    """An application that sends through the relay over one connection, and its outbox."""

    def shop(relay: ScriptedSMTP) -> tuple[Router, Outbox]:
        app = make_app(settings_values | through(relay) | {"email.connections": "1"})
        app.registry.email_kinds.add(kind())
        return app, Outbox(app.registry)

    return shop


def suppressed(outbox: Outbox) -> list[SuppressedAddress]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(SuppressedAddress)))


def refusing(relay: ScriptedSMTP, at: At, *replies: str) -> ScriptedSMTP:
    """The relay, which gives these replies at the phase, one after the other."""
    faults = [Fault(at, reply, time=time) for time, reply in enumerate(replies, 1)]
    return replace(relay, faults=tuple(faults))


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (NO_MAILBOX, "5.1.1"),
        ("550 5.1.2 Bad destination system address", "5.1.2"),
        ("556 5.1.10 The domain takes no mail", "5.1.10"),
        ("550 5.2.1 Mailbox disabled", "5.2.1"),
        ("550 5.4.4 Unable to route: no such host", "5.4.4"),
    ],
)
def test_a_hard_code_at_rcpt_suppresses_for_a_day(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock, reply: str, code: str
) -> None:
    with refusing(scripted, At.RCPT, reply) as relay:
        app, outbox = shop(relay)
        email, other = outbox.write(1), outbox.write(2)
        hire(app).run_once()
        assert [outbox.row(each).state for each in (email, other)] == ["failed", "sent"]
        [row] = suppressed(outbox)
        assert (row.address, row.event, row.code) == ("customer1@example.org", "bounced", code)
        assert (row.until - clock(), row.bounces) == (timedelta(days=1), 1)
        assert row.email_id == email.id
        assert outbox.write(1, key="later").state == "suppressed"


def test_the_verdict_and_the_suppression_are_one_transaction(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database fails once, when the verdict is written and the suppression is not."""
    seen: list[str] = []
    after_refusal = suppression.after_refusal
    with refusing(scripted, At.RCPT, NO_MAILBOX) as relay:
        app, outbox = shop(relay)
        email = outbox.write(1)

        def fails_once(*arguments: Any) -> None:
            seen.append(outbox.row(email).state)
            if len(seen) == 1:
                raise OperationalError("INSERT", None, Exception("connection lost"))
            after_refusal(*arguments)

        monkeypatch.setattr(suppression, "after_refusal", fails_once)
        hire(app).run_once()
        assert seen == ["queued", "queued"]
        assert outbox.row(email).state == "failed"
        assert len(outbox.attempts(email)) == len(suppressed(outbox)) == 1


def test_the_next_refusal_suppresses_for_longer(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    always = Fault(At.RCPT, NO_MAILBOX, connection=0, time=0)
    with replace(scripted, faults=(always,)) as relay:
        app, outbox = shop(relay)
        worker = hire(app)
        for turn, days in enumerate((1, 7, 30)):
            outbox.write(1, key=f"note:{turn}")
            worker.run_once()
            [row] = suppressed(outbox)
            assert row.until - clock() == timedelta(days=days)
            clock.advance(timedelta(days=days))


def test_refusals_of_one_batch_count_as_one_bounce(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    with refusing(scripted, At.RCPT, *[NO_MAILBOX] * 3) as relay:
        app, outbox = shop(relay)
        for key in "abc":
            outbox.write(1, key=key)
        hire(app).run_once()
        [row] = suppressed(outbox)
        assert (row.until - clock(), row.bounces) == (timedelta(days=1), 1)


@pytest.mark.parametrize(
    ("at", "reply", "state"),
    [
        (At.RCPT, "550 5.7.1 Your message was classified as unwanted", "failed"),
        (At.RCPT, "550 5.7.26 Unauthenticated sender", "queued"),
        (At.RCPT, "550 5.2.2 Mailbox full", "failed"),
        (At.RCPT, "550 The moon is in the wrong house", "failed"),
        (At.RCPT, "450 4.1.1 User unknown for now", "queued"),
        (At.DOT, "550 5.6.0 Content refused", "failed"),
    ],
)
def test_any_other_refusal_suppresses_nothing(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, at: At, reply: str, state: str
) -> None:
    with refusing(scripted, at, reply) as relay:
        app, outbox = shop(relay)
        email = outbox.write(1)
        hire(app).run_once()
        assert outbox.row(email).state == state
        assert suppressed(outbox) == []


def test_a_refusal_that_proves_to_be_about_us_leaves_no_suppression(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    """The first refusal has a hard code. The same words to two others show what they mean."""
    words = "The moon is in the wrong house"
    replies = (f"550 5.1.1 {words}", f"550 {words}", f"550 {words}")
    with refusing(scripted, At.RCPT, *replies) as relay:
        app, outbox = shop(relay)
        emails = [outbox.write(number) for number in range(3)]
        worker = hire(app)
        worker.run_once()
        assert {outbox.row(email).state for email in emails} == {"queued"}
        assert suppressed(outbox) == []
    with replace(scripted, faults=(), port=relay.port):
        for _ in range(3):
            clock.advance(timedelta(minutes=2))
            worker.run_once()
    assert {outbox.row(email).state for email in emails} == {"sent"}
