"""How workers on several machines share the emails: a commit notifies them, they poll besides, and
each email goes to one of them.
"""

import threading

import psycopg
import pytest
from sqlalchemy import text

from app.mail.delivery import worker
from app.mail.delivery.batch import BATCH
from app.mail.delivery.maintenance import HEARTBEAT_SECONDS, MAINTENANCE_SECONDS
from app.mail.outbox.claims import LEASE, claim
from app.mail.outbox.tables import State
from app.mail.outbox.wakeup import CHANNEL
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.clock import Clock
from tests.support.databases import on_postgresql
from tests.support.outbox import Outbox
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At
from tests.support.waiting import eventually
from tests.support.workers import Hire


@on_postgresql
def test_a_commit_on_another_machine_wakes_a_worker_at_once(
    make_app: MakeApp, settings_values: dict[str, str], hire: Hire, scripted: ScriptedSMTP
) -> None:
    with scripted:
        here, there = (make_app(settings_values | through(scripted)) for _ in range(2))
        shop, wakeup = Outbox(there.registry), here.registry.email_wakeup
        Outbox(here.registry).write(0)
        hire(here).start()
        scripted.wait_for(1)
        for number in (1, 2, 3):
            calls = wakeup.calls
            shop.write(number)
            eventually(lambda calls=calls: wakeup.calls > calls)
            scripted.wait_for(number + 1)


@on_postgresql
def test_workers_are_notified_by_a_commit_and_not_by_a_rollback(
    sending: Outbox, database_url: str
) -> None:
    conninfo = database_url.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(conninfo, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}".encode())
        with sending.registry.database.transaction(write=True) as session:
            sending.registry.email_wakeup.after_commit(session)
            session.rollback()
        assert list(listener.notifies(timeout=0.1)) == []
        sending.write(1)
        assert len(list(listener.notifies(timeout=20, stop_after=1))) == 1


def test_a_worker_without_a_notification_finds_the_email_by_polling(
    make_app: MakeApp,
    settings_values: dict[str, str],
    hire: Hire,
    scripted: ScriptedSMTP,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scripted:
        here, there = (make_app(settings_values | through(scripted)) for _ in range(2))
        shop = Outbox(there.registry)
        Outbox(here.registry).write(0)
        hire(here).start()
        scripted.wait_for(1)
        monkeypatch.setattr(there.registry.email_wakeup, "after_commit", lambda session: None)
        shop.write(1)
        scripted.wait_for(2)
    assert worker.POLL_SECONDS <= 1


def test_a_worker_has_as_many_connections_at_once_as_the_settings_say(
    make_app: MakeApp, settings_values: dict[str, str], hire: Hire, certificate: Certificate
) -> None:
    together = threading.Barrier(3)

    def meet(phase: At) -> None:
        # The first three connections wait for each other at their first dot; nothing waits later.
        if phase is At.DOT and not met.is_set():
            together.wait(20)
            met.set()

    met = threading.Event()
    with ScriptedSMTP(certificate, before=meet) as relay:
        app = make_app(settings_values | through(relay) | {"email.connections": "3"})
        shop = Outbox(app.registry)
        emails = [shop.write(number) for number in range(3 * BATCH)]
        hire(app).start()
        relay.wait_for(len(emails))
        assert relay.connections == 3
    assert met.is_set()


@on_postgresql
def test_claims_at_the_same_time_get_different_emails_and_wait_for_nobody(
    sending: Outbox, clock: Clock
) -> None:
    emails = [sending.write(number) for number in range(20)]
    database = sending.registry.database
    with database.transaction(write=True) as one, database.transaction(write=True) as other:
        first = claim(one, "lease-1", clock(), 10)
        other.execute(text("SET LOCAL lock_timeout = '5s'"))
        second = claim(other, "lease-2", clock(), 20)
        assert [email.id for email in first] == [email.id for email in emails[:10]]
        assert [email.id for email in second] == [email.id for email in emails[10:]]


def test_a_dead_worker_is_noticed_within_two_seconds_and_a_silent_one_within_a_minute() -> None:
    # Workers look for dead ones every second, and wake each other at once.
    assert MAINTENANCE_SECONDS + 1 <= 2
    assert LEASE.total_seconds() + MAINTENANCE_SECONDS < 60
    assert LEASE.total_seconds() > 2 * HEARTBEAT_SECONDS


def test_the_verdict_on_an_email_is_committed_before_the_next_ones_body_leaves(
    make_app: MakeApp, settings_values: dict[str, str], hire: Hire, certificate: Certificate
) -> None:
    seen: list[list[str]] = []

    def look(phase: At) -> None:
        # At the dot the relay has a whole body, and the email has no verdict yet.
        if phase is At.DOT:
            seen.append([shop.row(email).state for email in emails])

    for pipelining in (True, False):
        with ScriptedSMTP(certificate, before=look, pipelining=pipelining) as relay:
            app = make_app(settings_values | through(relay))
            shop = Outbox(app.registry)
            emails = [shop.write(10 * pipelining + number) for number in range(4)]
            hire(app).run_once()
    steps = [
        [State.SENT] * done + [State.SENDING] + [State.QUEUED] * (3 - done) for done in range(4)
    ]
    assert seen == steps * 2
