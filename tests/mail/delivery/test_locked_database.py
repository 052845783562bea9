"""Another program, such as a backup, locks the SQLite file. Worker and web go on by themselves once
it is free again.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pyramid.router import Router

from app.database.engine import Database
from app.mail.outbox.tables import State
from app.mail.testing import Mailbox
from tests.support.accounts import sign_up
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, each_is_sent_once
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import At
from tests.support.waiting import eventually
from tests.support.workers import Hire

pytestmark = on_sqlite


@pytest.fixture
def app(
    make_app: MakeApp, scripted_values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Router:
    """An application that does not wait long for the file."""
    monkeypatch.setattr("app.database.sqlite.SQLITE_BUSY_SECONDS", 0.1)
    return make_app(scripted_values | {"email.connections": "1"})


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


def test_a_worker_goes_on_once_the_file_is_free_again(
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
    each_is_sent_once(outbox, scripted, emails)


def test_an_idle_worker_delivers_once_the_file_is_free_again(
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
