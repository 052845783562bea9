"""A pooler gives each transaction any free connection, so a worker's lock proves nothing behind
one. Leases and polling take the place of lock and notification.
"""

import logging
from collections.abc import Iterator

import pytest
from pyramid.router import Router

from app.mail.delivery import maintenance
from app.mail.delivery.liveness import LEASED, AdvisoryLock
from app.mail.outbox.claims import lease_holders
from app.mail.outbox.tables import State
from tests.support.application import MakeApp
from tests.support.databases import on_postgresql
from tests.support.outbox import Outbox, each_is_sent_once
from tests.support.pooler import Pooler
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.waiting import eventually
from tests.support.workers import Hire

pytestmark = on_postgresql


@pytest.fixture
def app(make_app: MakeApp, scripted_values: dict[str, str], database_url: str) -> Iterator[Router]:
    with Pooler(database_url) as pooler:
        app = make_app(scripted_values | {"database.url": pooler.url})
        yield app
        app.registry.database.dispose()


def test_a_worker_behind_a_pooler_says_so_once_and_delivers_by_leases_and_the_poll(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
) -> None:
    names: set[str] = set()

    def look(phase: object) -> None:
        with app.registry.database.transaction(write=False) as session:
            names.update(worker for worker, _ in lease_holders(session))

    hire(app).start()
    eventually(lambda: "pooler before PostgreSQL" in caplog.text)
    scripted.before = look
    emails = [outbox.write(number) for number in range(5)]
    scripted.wait_for(5)
    eventually(lambda: {outbox.row(email).state for email in emails} == {State.SENT})
    [name] = names
    assert name.startswith(LEASED)
    # This is the only warning: that its LISTEN went to another client's backend does no harm.
    [warning] = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert "pooler" in warning.getMessage()
    assert name in warning.getMessage()
    assert len(scripted.received) == 5


def test_a_worker_behind_a_pooler_goes_on_without_its_own_connection(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = hire(app)
    worker.start()
    eventually(lambda: "pooler before PostgreSQL" in caplog.text)
    own = worker._maintenance.liveness
    assert isinstance(own, AdvisoryLock)
    own.close()
    assert own.is_held(own.worker)
    email = outbox.write(1)
    scripted.wait_for(1)
    eventually(lambda: outbox.row(email).state == State.SENT)


def test_workers_that_find_a_pooler_amid_their_first_batches_double_nothing(
    app: Router,
    outbox: Outbox,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.02)
    emails = [outbox.write(number) for number in range(60)]
    for _ in range(2):
        hire(app).start()
    each_is_sent_once(outbox, scripted, emails)
    assert "cause=worker_dead" not in caplog.text
    assert caplog.text.count(f"worker={LEASED}") == 2
