"""A relay that is down, refuses the login or asks to slow down rests for all workers. After the
rest one worker tries it, and then the most urgent emails go first.
"""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select

from app.mail import Priority
from app.mail.delivery.relay import Relay
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, kind
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import DROP, At, Fault
from tests.support.workers import Hire

NO_CONNECTION = {
    "down": Fault(At.BANNER, DROP),
    "closing": Fault(At.BANNER, "421 4.3.2 closing"),
    "login-refused": Fault(At.AUTH, "535 5.7.8 no such account"),
}
SLOWED_DOWN = {
    "421-at-mail": Fault(At.MAIL, "421 4.7.0 try again later"),
    "450-rate": Fault(At.RCPT, "450 4.7.1 Error: too much mail from 192.0.2.1"),
    "451-rate": Fault(At.DOT, "451 4.7.1 rate limit exceeded, slow down"),
}
SECOND = timedelta(seconds=1)


Machines = Callable[[ScriptedSMTP, int], list[Router]]


@pytest.fixture
def machines(make_app: MakeApp, settings_values: dict[str, str]) -> Machines:
    """Applications on one database, as on several machines. All of them know the tests' kinds."""

    def machines(relay: ScriptedSMTP, count: int) -> list[Router]:
        apps = [make_app(settings_values | through(relay)) for _ in range(count)]
        for app in apps:
            for each in (RESET, RECEIPT, kind()):
                app.registry.email_kinds.add(each)
        return apps

    return machines


RESET = kind("reset", priority=Priority.SECURITY)
RECEIPT = kind("receipt", priority=Priority.RECEIPT)


def rest_of(app: Router, clock: Clock) -> tuple[timedelta, str]:
    """How long the relay still rests, and why."""
    with app.registry.database.transaction(write=False) as session:
        row = session.scalars(select(Relay)).one()
    assert row.blocked_until is not None
    return row.blocked_until - clock(), row.reason or ""


@pytest.mark.parametrize(
    "trouble",
    [*NO_CONNECTION.values(), *SLOWED_DOWN.values()],
    ids=[*NO_CONNECTION, *SLOWED_DOWN],
)
def test_a_problem_that_one_worker_has_with_the_relay_keeps_all_others_from_trying_it(
    machines: Machines, hire: Hire, scripted: ScriptedSMTP, clock: Clock, trouble: Fault
) -> None:
    with replace(scripted, faults=(trouble,)) as relay:
        first, second = machines(relay, 2)
        outbox = Outbox(first.registry)
        emails = [outbox.write(number) for number in (1, 2, 3)]
        hire(first).run_once()
        length, reason = rest_of(second, clock)
        assert length == SECOND
        assert reason.partition(":")[0] in ("greeting", "verdict", trouble.at)
        elsewhere = hire(second)
        for _ in range(3):
            assert elsewhere.run_once() == 0
        assert (relay.connections, relay.received) == (1, [])
        assert {outbox.row(email).attempts for email in emails} == {0}
        clock.advance(SECOND)
        elsewhere.run_once()
        clock.advance(timedelta(minutes=2))
        elsewhere.run_once()
    assert {outbox.row(email).state for email in emails} == {"sent"}
    assert len(relay.received) == 3


@on_sqlite
@pytest.mark.parametrize(
    ("reply", "is_about_rate"),
    [
        ("421 4.7.0 whatever it says", True),
        ("450 4.7.1 Error: too much mail from 192.0.2.1", True),
        ("450 4.7.1 Error: too many recipients from 192.0.2.1", True),
        ("450 4.7.0 sending rate exceeded", True),
        ("451 4.7.1 Please reduce your sending rate", True),
        ("451 Temporary local problem - rate limited", True),
        ("451 4.7.28 Throttling: slow down", True),
        ("450 4.7.1 you are sending too fast", True),
        ("450 4.2.1 this user receives mail at a rate that prevents more", False),
        ("450 4.7.1 greylisted, separate tries by five minutes", False),
        ("451 4.3.0 temporary failure", False),
        ("452 4.3.1 too many messages in the queue for this disk", True),
    ],
)
def test_a_reply_about_the_rate_delays_every_email_and_any_other_reply_only_its_own(
    machines: Machines,
    hire: Hire,
    scripted: ScriptedSMTP,
    reply: str,
    is_about_rate: bool,
) -> None:
    with replace(scripted, faults=(Fault(At.RCPT, reply),)) as relay:
        [app] = machines(relay, 1)
        outbox = Outbox(app.registry)
        first, second = (outbox.write(number) for number in (1, 2))
        hire(app).run_once()
    assert outbox.row(first).attempts == (0 if is_about_rate else 1)
    assert outbox.row(second).state == ("queued" if is_about_rate else "sent")


def test_after_a_rest_one_worker_probes_and_the_others_wait_for_its_word(
    machines: Machines, hire: Hire, scripted: ScriptedSMTP, clock: Clock
) -> None:
    probing, told = threading.Event(), threading.Event()

    def hold(phase: At) -> None:
        if phase is At.BANNER and relay.connections == 2:
            probing.set()
            assert told.wait(60)

    relay = replace(scripted, faults=(Fault(At.BANNER, DROP),), before=hold)
    with relay:
        first, *others = machines(relay, 4)
        outbox = Outbox(first.registry)
        emails = [outbox.write(number) for number in range(60)]
        prober, *workers = [hire(app) for app in (first, *others)]
        prober.run_once()
        clock.advance(SECOND)
        probe = threading.Thread(target=prober.run_once)
        probe.start()
        try:
            assert probing.wait(20)
            for worker in workers:
                worker.run_once()
            assert relay.connections == 2
        finally:
            told.set()
            probe.join()
        for worker in workers:
            worker.run_once()
    assert {outbox.row(email).state for email in emails} == {"sent"}
    assert sorted(relay.received) == sorted(email.message_id for email in emails)


def order_of_arrival(
    relay: ScriptedSMTP, app: Router, hire: Hire, clock: Clock, *rests: timedelta
) -> list[str]:
    """Deliver to a relay that takes these rests, while more emails come in. Returns the emails'
    kinds in the order in which they arrive.
    """
    outbox, worker = Outbox(app.registry), hire(app)
    emails = [outbox.write(n, of=RECEIPT) for n in range(3)]
    emails.append(outbox.write(3, of=RESET))
    worker.run_once()
    # The most urgent comes in last.
    emails += [outbox.write(n, of=each) for n, each in enumerate((RECEIPT, kind(), RESET), 4)]
    for rest in rests:
        clock.advance(rest)
        worker.run_once()
    kinds = {email.message_id: email.kind for email in emails}
    return [kinds[message_id] for message_id in relay.received]


@pytest.mark.parametrize("trouble", NO_CONNECTION.values(), ids=NO_CONNECTION)
def test_a_relay_that_is_back_gets_security_before_receipts(
    machines: Machines, hire: Hire, scripted: ScriptedSMTP, clock: Clock, trouble: Fault
) -> None:
    with replace(scripted, faults=(trouble,)) as relay:
        [app] = machines(relay, 1)
        order = order_of_arrival(relay, app, hire, clock, SECOND)
    assert order == ["reset"] * 2 + ["note"] + ["receipt"] * 4


@pytest.mark.parametrize("trouble", SLOWED_DOWN.values(), ids=SLOWED_DOWN)
def test_a_relay_that_slowed_us_down_once_gets_security_before_receipts_too(
    machines: Machines, hire: Hire, scripted: ScriptedSMTP, clock: Clock, trouble: Fault
) -> None:
    with replace(scripted, faults=(trouble,)) as relay:
        [app] = machines(relay, 1)
        order = order_of_arrival(relay, app, hire, clock, SECOND, timedelta(minutes=2))
    assert order == ["reset"] * 2 + ["note"] + ["receipt"] * 4
