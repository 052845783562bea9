"""Behind a pooler, which gives each transaction whatever connection is free, a worker's lock proves
nothing: then leases and the poll do.
"""

import itertools
from collections.abc import Callable, Iterator

import pytest
from pyramid.router import Router

from app.mail import liveness
from app.mail.liveness import AdvisoryLock
from app.mail.outbox import lease_holders
from app.mail.tables import State
from tests.certificates import Certificate
from tests.conftest import eventually, on_postgresql
from tests.delivery.conftest import Hire, Outbox, through
from tests.scripted_smtp import ScriptedSMTP

pytestmark = on_postgresql


@pytest.fixture
def scripted(certificate: Certificate) -> Iterator[ScriptedSMTP]:
    with ScriptedSMTP(certificate) as relay:
        yield relay


@pytest.fixture
def app(
    make_app: Callable[[dict[str, str]], Router],
    settings_values: dict[str, str],
    scripted: ScriptedSMTP,
) -> Router:
    return make_app(settings_values | through(scripted) | {"email.connections": "1"})


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every transaction of a worker's own connection is another backend's."""
    backends = itertools.count(1000)
    monkeypatch.setattr(liveness, "_backend", lambda connection: next(backends))


@pytest.mark.usefixtures("pooled")
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
    eventually(lambda: "a pooler stands before PostgreSQL" in caplog.text)
    scripted.before = look
    emails = [outbox.write(number) for number in range(5)]
    scripted.wait_for(5)
    eventually(lambda: {outbox.row(email).state for email in emails} == {State.SENT})
    [name] = names
    assert name.startswith("lease-")
    [warning] = [record for record in caplog.records if "pooler" in record.getMessage()]
    assert warning.levelname == "WARNING"
    assert name in warning.getMessage()
    assert len(scripted.received) == 5


@pytest.mark.usefixtures("pooled")
def test_a_worker_behind_a_pooler_goes_on_without_its_own_connection(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = hire(app)
    worker.start()
    eventually(lambda: "a pooler stands before PostgreSQL" in caplog.text)
    own = worker._liveness
    assert isinstance(own, AdvisoryLock)
    own._drop()
    assert own.is_held()
    email = outbox.write(1)
    scripted.wait_for(1)
    eventually(lambda: outbox.row(email).state == State.SENT)
