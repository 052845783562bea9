"""Another program locks the SQLite file, such as a backup or a person's shell. Worker and web
continue by themselves once the file is free.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from pyramid.router import Router

from app.database.engine import Database
from app.mail.outbox.tables import State
from app.mail.testing import Mailbox
from tests.conftest import eventually, on_sqlite
from tests.support.accounts import another_browser, sign_up
from tests.support.certificates import Certificate
from tests.support.scripted_smtp import At, ScriptedSMTP
from tests.support.sending import Hire, Outbox, through

pytestmark = on_sqlite


@pytest.fixture
def scripted(certificate: Certificate) -> Iterator[ScriptedSMTP]:
    with ScriptedSMTP(certificate) as relay:
        yield relay


@pytest.fixture
def app(
    make_app: Callable[[dict[str, str]], Router],
    settings_values: dict[str, str],
    scripted: ScriptedSMTP,
    monkeypatch: pytest.MonkeyPatch,
) -> Router:
    """An application that waits only briefly for the file."""
    monkeypatch.setattr("app.database.sqlite.SQLITE_BUSY_SECONDS", 0.1)
    return make_app(settings_values | through(scripted) | {"email.connections": "1"})


@contextmanager
def held_by_another_program(database: Database) -> Iterator[None]:
    path = str(database.engine.url.database)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")
    finally:
        other.close()


def test_a_file_that_is_free_again_finds_the_worker_at_work(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
) -> None:
    database = app.registry.database
    holding = held_by_another_program(database)

    def hold_at_the_first_dot(phase: At) -> None:
        if phase is At.DOT and not scripted.received:
            holding.__enter__()

    scripted.before = hold_at_the_first_dot
    emails = [outbox.write(number) for number in range(3)]
    hire(app).start()
    scripted.wait_for(1)
    eventually(lambda: "waits for the database: " in caplog.text)
    holding.__exit__(None, None, None)
    scripted.wait_for(3)
    eventually(lambda: {outbox.row(email).state for email in emails} == {State.SENT})
    assert Counter(scripted.received) == Counter(email.message_id for email in emails)


def test_a_file_that_is_free_again_finds_the_idle_worker_ready(
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
) -> None:
    first = outbox.write(1)
    hire(app).start()
    scripted.wait_for(1)
    eventually(lambda: outbox.row(first).state == State.SENT)
    with held_by_another_program(app.registry.database):
        app.registry.email_wakeup.now()
        browser = another_browser(app)
        assert browser.get("/", status="*").status_int == 200
        form = browser.get("/sign-up").form
        form["email"], form["password"] = "ada@example.org", "a lovely long passphrase"
        assert form.submit(status="*").status_int in (500, 503)
    assert sign_up(another_browser(app), "bob@example.org").status_int == 303
    scripted.wait_for(2)
    assert {email.recipient for email in Mailbox(app.registry.database).all()} == {
        "customer1@example.org",
        "bob@example.org",
    }
