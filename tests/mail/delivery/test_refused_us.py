"""A refusal about us: the relay rests, and no email fails or uses up an attempt. Words that no line
of the table knows are about us when they refuse three recipients in a row.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select, update

from app.mail.delivery.relay import Relay
from app.mail.outbox.tables import OutboxEmail
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At, Fault
from tests.support.workers import Hire

QUOTA = "550 5.4.5 Daily user sending limit exceeded for shop@example.org"
NEW_WORDS = "554 5.7.1 The moon is in the wrong house"

Shop = Callable[[ScriptedSMTP], Router]


@pytest.fixture
def shop(make_app: MakeApp, settings_values: dict[str, str]) -> Shop:
    """An application that sends through the relay over one connection."""

    def shop(relay: ScriptedSMTP) -> Router:
        app = make_app(settings_values | through(relay) | {"email.connections": "1"})
        app.registry.email_kinds.add(kind())
        app.registry.email_kinds.add(SECRET)
        return app

    return shop


SECRET = kind("secret", carries_secret=True)


@pytest.mark.parametrize("phase", [At.MAIL, At.RCPT, At.DOT])
def test_a_quota_of_ten_minutes_fails_no_email_and_doubles_none(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock, phase: At
) -> None:
    with replace(scripted, faults=(Fault(phase, QUOTA, connection=0, time=0),)) as relay:
        app = shop(relay)
        outbox, worker = Outbox(app.registry), hire(app)
        emails = [outbox.write(number) for number in range(200)]
        end, rests = clock() + timedelta(minutes=10), []
        while clock() < end:
            worker.run_once()
            with app.registry.database.transaction(write=False) as session:
                row = session.scalars(select(Relay)).one()
            assert row.blocked_until is not None
            assert "Daily user sending limit exceeded" in (row.reason or "")
            rests.append(row.blocked_until - clock())
            clock.advance(max(row.blocked_until - clock(), timedelta(seconds=1)))
        rows = [outbox.row(email) for email in emails]
        assert {(row.state, row.attempts) for row in rows} == {("queued", 0)}
        # An address of one customer is not for the rows of the others.
        assert not any("@" in (row.reason or "") for row in rows if "waits" in (row.reason or ""))
        assert max(rests) > timedelta(minutes=1)
    with replace(scripted, port=relay.port) as relay:
        for _ in range(5):
            clock.advance(timedelta(minutes=15))
            worker.run_once()
        assert {outbox.row(email).state for email in emails} == {"sent"}
        assert len(relay.received) == len({*relay.received}) == 200


def test_a_rest_for_a_quota_grows_to_15_minutes(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    with replace(scripted, faults=(Fault(At.MAIL, QUOTA, connection=0, time=0),)) as relay:
        app = shop(relay)
        Outbox(app.registry).write(1)
        worker = hire(app)
        for _ in range(12):
            worker.run_once()
            with app.registry.database.transaction(write=False) as session:
                until = session.scalars(select(Relay.blocked_until)).one()
            assert until is not None
            rest = until - clock()
            clock.advance(max(rest, timedelta(minutes=1)))
    assert rest == timedelta(minutes=15)


def test_the_same_new_words_to_three_recipients_are_about_us(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    with replace(scripted, faults=(Fault(At.DOT, NEW_WORDS, connection=0, time=0),)) as relay:
        app = shop(relay)
        outbox, worker = Outbox(app.registry), hire(app)
        emails = [
            outbox.write(number, of=SECRET, address=f"customer{number}@example.org")
            for number in range(4)
        ]
        worker.run_once()
        assert {outbox.row(email).state for email in emails} == {"queued"}
        assert all(outbox.row(email).has_body for email in emails)
        with app.registry.database.transaction(write=False) as session:
            assert "wrong house" in (session.scalars(select(Relay.reason)).one() or "")
    with replace(scripted, port=relay.port) as relay:
        for _ in range(3):
            clock.advance(timedelta(minutes=2))
            worker.run_once()
    assert {outbox.row(email).state for email in emails} == {"sent"}
    assert not any(outbox.row(email).has_body for email in emails)


def test_new_words_to_one_recipient_fail_each_email_and_its_secret_goes_with_its_time(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    with replace(scripted, faults=(Fault(At.DOT, NEW_WORDS, connection=0, time=0),)) as relay:
        app = shop(relay)
        outbox, worker = Outbox(app.registry), hire(app)
        emails = [outbox.write(n, of=SECRET, address="one@example.org") for n in range(4)]
        worker.run_once()
    assert {outbox.row(email).state for email in emails} == {"failed"}
    assert all(outbox.row(email).has_body for email in emails)
    clock.advance(SECRET.time_to_live + timedelta(seconds=1))
    worker._maintenance.expiry.run_due_tasks()
    assert not any(outbox.row(email).has_body for email in emails)


@pytest.mark.parametrize(
    "reply",
    ["550 5.1.1 no such mailbox", "550 5.2.9 not for this one", "550 no account of that name"],
)
def test_an_attackers_bad_addresses_do_not_stop_the_others(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, reply: str
) -> None:
    bad = [Fault(At.RCPT, reply, time=number) for number in (1, 2, 3)]
    with replace(scripted, faults=tuple(bad)) as relay:
        app = shop(relay)
        outbox = Outbox(app.registry)
        emails = [
            outbox.write(number, address=f"customer{number}@example.org") for number in range(4)
        ]
        hire(app).run_once()
    states = [outbox.row(email).state for email in emails]
    assert states == ["failed", "failed", "failed", "sent"]


def test_times_that_a_wrong_clock_wrote_hold_nothing_back(
    shop: Shop, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    ahead = clock() + timedelta(days=30)
    with scripted as relay:
        app = shop(relay)
        outbox, worker = Outbox(app.registry), hire(app)
        late, leased = outbox.write(1), outbox.write(2)
        with app.registry.database.transaction(write=True) as session:
            name = f"127.0.0.1:{relay.port}"
            session.add(Relay(name=name, blocked_until=ahead, reason="a wrong clock", failures=1))
            for email, values in (
                (late, {"next_attempt_at": ahead}),
                (leased, {"leased_by": "lease-1", "leased_until": ahead}),
            ):
                session.execute(
                    update(OutboxEmail)
                    .where(OutboxEmail.id == email.id)
                    .values(expires_at=ahead + timedelta(days=1), **values)
                )
        worker._maintenance.expiry.run_due_tasks()
        clock.advance(timedelta(seconds=1))
        worker.run_once()
    assert [outbox.row(email).state for email in (late, leased)] == ["sent", "sent"]
