"""Workers are killed with -9 at random moments. Every email arrives, and only emails in doubt
arrive twice.
"""

import random
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import select, update

from app.accounts.email_kinds import WELCOME
from app.database.clock import utc_clock
from app.database.engine import Database
from app.mail import InDoubt
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome
from app.mail.test_message import TEST_MESSAGE
from tests.support.application import MakeApp
from tests.support.certificates import Certificate
from tests.support.outbox import Outbox, unsettled
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.server_process import Process, pillarbox, start
from tests.support.shop_settings import write_ini
from tests.support.smtp_script import At
from tests.support.waiting import eventually
from tests.support.workers import Hire

assert (WELCOME.in_doubt, TEST_MESSAGE.in_doubt) == (InDoubt.RESEND, InDoubt.HOLD)
WORKERS = 2
CONNECTIONS = 2


def hired(ini: Path) -> Process:
    """``pillarbox deliver`` in a process of its own."""
    return start(pillarbox("deliver", ini), ini.with_suffix(".log"))


class Crew:
    """Workers, each a process of its own. A killed one is replaced at once."""

    def __init__(self, ini: Path) -> None:
        self._ini = ini
        self._workers = [hired(ini) for _ in range(WORKERS)]

    def kill(self, number: int) -> None:
        self._workers[number].kill()
        self._workers[number].wait()
        self._workers[number] = hired(self._ini)

    def dismiss(self) -> None:
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait(40)


def hurry(database: Database) -> None:
    """Make emails due that wait for their next attempt, as if the time had passed."""
    waiting = OutboxEmail.state == State.QUEUED, OutboxEmail.next_attempt_at > utc_clock()
    with database.transaction(write=False) as session:
        if session.scalar(select(OutboxEmail.id).where(*waiting).limit(1)) is None:
            return
    with database.transaction(write=True) as session:
        session.execute(update(OutboxEmail).where(*waiting).values(next_attempt_at=utc_clock()))


def doubts_by_email(database: Database) -> Counter[int]:
    """How often each email was in doubt."""
    with database.transaction(write=False) as session:
        doubts = select(EmailAttempt.email_id).where(EmailAttempt.outcome == Outcome.IN_DOUBT)
        return Counter(session.scalars(doubts))


@pytest.mark.parametrize(
    ("seed", "emails", "kills"),
    [
        (1, 60, 2),
        pytest.param(2, 500, 20, marks=pytest.mark.long),
    ],
)
def test_killed_workers_lose_nothing_and_double_only_what_was_in_doubt(
    make_app: MakeApp,
    settings_values: dict[str, str],
    certificate: Certificate,
    tmp_path: Path,
    seed: int,
    emails: int,
    kills: int,
) -> None:
    chance = random.Random(seed)  # noqa: S311 (moments, no secrets)
    # The relay is slow at each final dot, so that a kill often falls between it and the reply.
    with ScriptedSMTP(certificate, before=lambda at: time.sleep(0.004 * (at is At.DOT))) as relay:
        values = settings_values | through(relay) | {"email.connections": str(CONNECTIONS)}
        outbox = Outbox(make_app(values).registry)
        outbox.registry.clock = utc_clock
        database = outbox.registry.database
        written = [
            outbox.write(number, of=WELCOME if number % 2 else TEST_MESSAGE)
            for number in range(emails)
        ]
        crew = Crew(write_ini(tmp_path / "worker.ini", values, log_level="INFO"))
        try:
            for progress in sorted(chance.sample(range(1, emails), kills)):
                hurry(database)
                relay.wait_for(progress, seconds=60)
                time.sleep(chance.uniform(0, 0.01))
                crew.kill(chance.randrange(WORKERS))
            eventually(lambda: hurry(database) or unsettled(database) == 0, seconds=60)
        finally:
            crew.dismiss()
    assert relay.violations == []
    arrived = Counter(relay.received)
    assert set(arrived) <= {email.message_id for email in written}
    doubts = doubts_by_email(database)
    assert doubts.total() <= kills * CONNECTIONS
    for email in written:
        copies, doubted = arrived[email.message_id], doubts[email.id]
        match outbox.row(email).state:
            case State.SENT if email.kind == WELCOME.name:
                assert 1 <= copies <= 1 + doubted
            case State.SENT:
                assert (copies, doubted) == (1, 0)
            case state:
                assert (email.kind, state, doubted) == (TEST_MESSAGE.name, State.UNKNOWN, 1)
                assert copies <= 1


def test_what_a_killed_worker_had_leased_goes_out_through_another_one(
    make_app: MakeApp,
    settings_values: dict[str, str],
    certificate: Certificate,
    hire: Hire,
    tmp_path: Path,
) -> None:
    waiting, killed = threading.Event(), threading.Event()

    def hold_the_first(phase: At) -> None:
        if phase is At.DOT and not waiting.is_set():
            waiting.set()
            assert killed.wait(60)

    with ScriptedSMTP(certificate, before=hold_the_first) as relay:
        values = settings_values | through(relay) | {"email.connections": "1"}
        app = make_app(values)
        app.registry.clock = utc_clock
        outbox = Outbox(app.registry)
        first, *others = [outbox.write(number, of=TEST_MESSAGE) for number in range(5)]
        worker = hired(write_ini(tmp_path / "worker.ini", values, log_level="INFO"))
        try:
            assert waiting.wait(60)
            hire(app).start()
        finally:
            worker.kill()
            worker.wait()
        relay.wait_for(4)
        killed.set()
        eventually(lambda: unsettled(app.registry.database) == 0)
        assert sorted(relay.received[:4]) == sorted(email.message_id for email in others)
        assert outbox.row(first).state == State.UNKNOWN
