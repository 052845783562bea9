"""A worker loses the database, the connection to it, or only the connection of its own that holds
its advisory lock, which proves that it lives.
"""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg
import pytest
from pyramid.router import Router
from webtest import TestApp

from app.mail import InDoubt
from app.mail.delivery import liveness, maintenance
from app.mail.delivery.liveness import LOCKED
from app.mail.outbox.claims import LEASE, claim
from app.mail.outbox.tables import State
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.clock import Clock
from tests.support.databases import on_postgresql
from tests.support.outbox import Outbox, each_is_sent_once, kind, unsettled
from tests.support.postgresql import PostgreSQL
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At
from tests.support.waiting import eventually
from tests.support.wire import Wire
from tests.support.workers import Hire


class Gate:
    """Makes a relay hold back its reply to one phase, which ``at`` names."""

    def __init__(self) -> None:
        self.at: At | None = At.DOT
        self.reached = threading.Event()
        self._open = threading.Event()

    def __call__(self, phase: At) -> None:
        if phase is self.at:
            self.reached.set()
            assert self._open.wait(60)

    def open(self) -> None:
        self._open.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def scripted(certificate: Certificate, gate: Gate) -> ScriptedSMTP:
    """A relay that takes a body, and answers its dot once the gate is open."""
    return ScriptedSMTP(certificate, before=gate)


@pytest.fixture
def app(make_app: MakeApp, scripted_values: dict[str, str]) -> Router:
    return make_app(scripted_values | {"email.connections": "1"})


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    with Wire(database_url) as wire:
        yield wire


@pytest.fixture
def remote(make_app: MakeApp, scripted_values: dict[str, str], wire: Wire) -> Router:
    """The application on another machine, which reaches the same database through ``wire``."""
    return make_app(scripted_values | {"database.url": wire.url, "email.connections": "1"})


class Lock:
    """The advisory lock of the only running worker, and the connection that holds it."""

    def __init__(self, url: str) -> None:
        self._conninfo = url.replace("postgresql+psycopg", "postgresql")
        [(self.number, self.backend)] = self.run(_LOCKS)

    @property
    def worker(self) -> str:
        """The name of the lock's worker."""
        return f"{LOCKED}{self.number}"

    def backends(self) -> list[int]:
        """The connections that hold it now."""
        return [backend for number, backend in self.run(_LOCKS) if number == self.number]

    def run(self, statement: str, *values: object) -> list[tuple[int, int]]:
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            return connection.execute(statement.encode(), values).fetchall()

    def end(self) -> None:
        """End the connection, which frees the lock."""
        self.run("SELECT pg_terminate_backend(%s, 5000)::int, 0", self.backend)

    @contextmanager
    def stolen(self) -> Iterator[None]:
        """End the connection, and hold the lock for the time of the block."""
        with psycopg.connect(self._conninfo, autocommit=True) as thief:
            take = f"SELECT pg_advisory_lock({self.number})".encode()
            waiting = threading.Thread(target=thief.execute, args=(take,))
            waiting.start()
            eventually(lambda: self.run(_WAITING) != [])
            self.end()
            waiting.join()
            yield


_LOCKS = """
    SELECT (classid::bigint << 32) | objid::bigint, pid FROM pg_locks
    JOIN pg_database ON pg_database.oid = database
    WHERE locktype = 'advisory' AND granted AND datname = current_database()
"""
_WAITING = "SELECT 0, pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers wait longer for their lock than a test takes."""
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 60.0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers give their lock up when they do not get it at once."""
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.1)


@on_postgresql
@pytest.mark.usefixtures("patient")
def test_a_worker_that_lost_its_lock_sends_no_final_dot_until_it_has_it_again(
    database_url: str,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first, *others = [outbox.write(number) for number in range(5)]
    hire(app).start()
    assert gate.reached.wait(20)
    with Lock(database_url).stolen():
        eventually(lambda: "lost its own database connection" in caplog.text)
        gate.open()
        eventually(lambda: outbox.row(first).state == State.SENT)
        eventually(lambda: {outbox.row(email).leased_by for email in others} == {None})
        assert scripted.received == [first.message_id]
        assert scripted.connections == 1
    each_is_sent_once(outbox, scripted, (first, *others))


@on_postgresql
@pytest.mark.usefixtures("patient")
def test_a_body_that_the_relay_waits_for_is_not_sent_once_the_lock_is_lost(
    database_url: str,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate.at = At.DATA
    email = outbox.write()
    hire(app).start()
    assert gate.reached.wait(20)
    with Lock(database_url).stolen():
        eventually(lambda: "lost its own database connection" in caplog.text)
        gate.open()
        eventually(lambda: outbox.row(email).leased_by is None)
        assert (outbox.row(email).state, scripted.received) == (State.QUEUED, [])
    scripted.wait_for(1)
    eventually(lambda: outbox.row(email).state == State.SENT)


@on_postgresql
def test_a_worker_whose_connection_ended_has_its_lock_again_and_keeps_its_name(
    database_url: str, outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, gate: Gate
) -> None:
    emails = [outbox.write(number) for number in range(5)]
    hire(app).start()
    assert gate.reached.wait(20)
    lock = Lock(database_url)
    lock.end()
    eventually(lambda: lock.backends() not in ([], [lock.backend]))
    assert {outbox.row(email).leased_by for email in emails} == {lock.worker}
    gate.open()
    each_is_sent_once(outbox, scripted, emails)


@on_postgresql
@pytest.mark.usefixtures("impatient")
def test_a_worker_that_does_not_get_its_lock_back_goes_on_under_another_name(
    database_url: str,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate.at = At.DATA
    emails = [outbox.write(number) for number in range(5)]
    hire(app).start()
    assert gate.reached.wait(20)
    lock = Lock(database_url)
    with lock.stolen():
        eventually(lambda: "worker renamed" in caplog.text)
        # The worker does not send the body that the relay waits for. It sends it over another
        # connection, under its new name.
        gate.open()
        scripted.wait_for(5)
        eventually(lambda: {outbox.row(email).state for email in emails} == {State.SENT})
        assert scripted.connections == 2
    assert Counter(scripted.received) == Counter(email.message_id for email in emails)


@on_postgresql
@pytest.mark.usefixtures("impatient")
def test_a_worker_with_another_name_waits_for_what_it_sent_under_the_old_one(
    database_url: str,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    emails = [outbox.write(number) for number in range(5)]
    hire(app).start()
    assert gate.reached.wait(20)
    lock = Lock(database_url)
    with lock.stolen():
        eventually(lambda: "worker renamed" in caplog.text)
    released = f"leases released: worker={lock.worker} cause=worker_dead emails_in_doubt=0"
    eventually(lambda: released in caplog.text)
    gate.open()
    each_is_sent_once(outbox, scripted, emails)


@on_postgresql
@pytest.mark.usefixtures("impatient")
def test_a_connection_that_dies_in_silence_loses_no_email_and_doubles_none(
    database_url: str,
    remote: Router,
    wire: Wire,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.02)
    monkeypatch.setattr(maintenance, "HEARTBEAT_SECONDS", 0.02)
    remote.registry.email_kinds.add(kind())
    emails = [outbox.write(number) for number in range(5)]
    worker, other = hire(remote), hire(app)
    worker.start()
    assert gate.reached.wait(20)
    lock = Lock(database_url)
    wire.cut()
    eventually(lambda: "worker renamed" in caplog.text)
    assert lock.backends() == [lock.backend]
    # The emails in progress under its old name stay its own until the relay has replied.
    for _ in range(3):
        clock.advance(LEASE / 2)
        eventually(lambda: {outbox.row(e).leased_until for e in emails} == {clock() + LEASE}, 60)
        assert other.run_once() == 0
    assert {outbox.row(email).leased_by for email in emails} == {lock.worker}
    gate.open()
    each_is_sent_once(outbox, scripted, emails)


@on_postgresql
def test_what_a_worker_was_sending_when_it_was_cut_off_is_in_doubt_when_its_lease_ends(
    database_url: str,
    remote: Router,
    wire: Wire,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    clock: Clock,
) -> None:
    hold = kind(in_doubt=InDoubt.HOLD)
    remote.registry.email_kinds.add(hold)
    first, *others = [outbox.write(number, of=hold) for number in range(5)]
    worker, other = hire(remote), hire(app)
    worker.start()
    assert gate.reached.wait(20)
    gate.at = None
    lock = Lock(database_url)
    wire.close()
    wire.cut()
    # PostgreSQL has not noticed that the connection is cut, and keeps the lock.
    assert other.run_once() == 0
    clock.advance(LEASE + timedelta(seconds=1))
    assert other.run_once() == 4
    assert lock.backends() == [lock.backend]
    gate.open()
    scripted.wait_for(5)
    assert outbox.row(first).state == State.UNKNOWN
    assert {outbox.row(email).state for email in others} == {State.SENT}
    assert Counter(scripted.received) == Counter(e.message_id for e in (first, *others))


@on_postgresql
def test_what_another_worker_took_over_is_not_sent_by_the_one_that_lost_its_lock(
    database_url: str, outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, gate: Gate
) -> None:
    emails = [outbox.write(number, of=kind(in_doubt=InDoubt.HOLD)) for number in range(5)]
    worker, other = hire(app), hire(app)
    worker.start()
    assert gate.reached.wait(20)
    Lock(database_url).end()
    taking_over = threading.Thread(target=other.run_once)
    taking_over.start()
    gate.open()
    taking_over.join()
    scripted.wait_for(5)
    eventually(lambda: {outbox.row(e).state for e in emails} <= {State.SENT, State.UNKNOWN})
    assert Counter(scripted.received) == Counter(email.message_id for email in emails)
    assert [outbox.row(email).state for email in emails[1:]] == [State.SENT] * 4


@on_postgresql
def test_worker_and_web_go_on_once_the_database_is_back(
    postgresql: PostgreSQL,
    outbox: Outbox,
    app: Router,
    browser: TestApp,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    caplog: pytest.LogCaptureFixture,
) -> None:
    before = [outbox.write(number) for number in range(5)]
    assert browser.get("/").status_int == 200
    hire(app).start()
    assert gate.reached.wait(20)
    # A customer's commit waits until the disk has it and all that was committed before it.
    before.append(outbox.write(6))
    postgresql.kill()
    try:
        gate.open()
        eventually(lambda: "outcome waits for the database" in caplog.text)
        assert browser.get("/", status="*").status_int in (500, 503)
    finally:
        postgresql.start()
    assert browser.get("/").status_int == 200
    scripted.wait_for(6)
    after = outbox.write(9)
    each_is_sent_once(outbox, scripted, (*before, after))


@on_postgresql
def test_a_database_that_crashes_amid_deliveries_may_cost_copies_and_loses_nothing(
    postgresql: PostgreSQL,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    clock: Clock,
) -> None:
    emails = [outbox.write(number) for number in range(60)]
    gate.open()
    hire(app).start()
    scripted.wait_for(25)
    # This loses what delivery committed within the last moments, because delivery never waits for
    # the disk.
    postgresql.kill()
    postgresql.start()

    def all_are_settled() -> bool:
        clock.advance(timedelta(seconds=5))
        return unsettled(app.registry.database) == 0

    eventually(all_are_settled, seconds=40)
    assert {outbox.row(email).state for email in emails} == {State.SENT}
    assert set(scripted.received) == {email.message_id for email in emails}


def test_two_servers_that_both_deliver_by_mistake_double_nothing(
    make_app: MakeApp,
    scripted_values: dict[str, str],
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
) -> None:
    gate.open()
    servers = [make_app(scripted_values) for _ in range(2)]
    note = kind()
    for server in servers:
        server.registry.email_kinds.add(note)
        hire(server).start()
    shops = [Outbox(server.registry) for server in servers]
    emails = [shop.write(10 * n + number) for n in range(30) for number, shop in enumerate(shops)]
    each_is_sent_once(shops[0], scripted, emails)


def test_a_worker_whose_death_nobody_can_see_is_replaced_within_a_minute(
    outbox: Outbox, app: Router, hire: Hire, scripted: ScriptedSMTP, gate: Gate, clock: Clock
) -> None:
    gate.open()
    email = outbox.write()
    with app.registry.database.transaction(write=True) as session:
        assert claim(session, "lease-behind-a-pooler", clock(), 10)
    worker = hire(app)
    clock.advance(LEASE - timedelta(seconds=1))
    worker.run_once()
    assert scripted.received == []
    clock.advance(timedelta(seconds=2))
    worker.run_once()
    assert scripted.received == [email.message_id]
    assert timedelta(minutes=1) > LEASE


def test_a_worker_that_waits_long_for_a_verdict_keeps_its_emails(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    gate: Gate,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.02)
    monkeypatch.setattr(maintenance, "HEARTBEAT_SECONDS", 0.02)
    emails = [outbox.write(number) for number in range(3)]
    hire(app).start()
    assert gate.reached.wait(20)
    other = hire(app)
    for _ in range(6):
        clock.advance(LEASE / 2)
        eventually(lambda: {outbox.row(e).leased_until for e in emails} == {clock() + LEASE})
        assert other.run_once() == 0
    assert [outbox.row(email).state for email in emails] == ["sending", "queued", "queued"]
    gate.open()
    scripted.wait_for(3)
    eventually(lambda: {outbox.row(email).state for email in emails} == {State.SENT})
    assert len(scripted.received) == 3
