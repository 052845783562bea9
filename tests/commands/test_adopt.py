"""A database knows the site it belongs to. A start for another site writes nothing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import select

from app.database.base import Base
from app.database.engine import Database
from app.database.owner import Owner, site_of
from app.mail import InDoubt
from app.mail.delivery.worker import Delivery
from app.mail.outbox.claims import claim
from app.mail.outbox.tables import UNDER_WAY, OutboxEmail, State
from app.mail.test_message import TEST_MESSAGE
from app.operations import server
from app.operations.readiness import NotReady, require_own_database
from tests.support.application import MakeApp
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import RECEIPT, Outbox, attachments, kind, put
from tests.support.pillarbox_command import Pillarbox
from tests.support.relay import Relay
from tests.support.shop_settings import write_ini

HERE = {"site.base_url": "https://shop.example.org"}
THERE = {"site.base_url": "https://copy.example.net:8443"}
TOP = ("serve", "deliver", "send-test")


@pytest.fixture
def here(tmp_path: Path, sending_values: dict[str, str]) -> Path:
    return write_ini(tmp_path / "here.ini", sending_values | HERE)


@pytest.fixture
def there(tmp_path: Path, sending_values: dict[str, str]) -> Path:
    return write_ini(tmp_path / "there.ini", sending_values | THERE)


@pytest.fixture
def owned(pillarbox: Pillarbox, here: Path, outbox: Outbox) -> Outbox:
    """The outbox of a database that belongs to shop.example.org."""
    pillarbox("adopt", here)
    return outbox


Refusal = Callable[[Router], str]


@pytest.fixture
def refusal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Refusal:
    """What the server prints when it refuses to start."""

    def exit(code: int) -> None:
        raise SystemExit(code)

    def refusal(app: Router) -> str:
        monkeypatch.setattr(os, "_exit", exit)
        with pytest.raises(SystemExit) as ended:
            server.serve(app, {})
        assert ended.value.code == 1
        return capsys.readouterr().err

    return refusal


def content(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table."""
    with database.reading.connect() as connection:
        return {
            name: [tuple(row) for row in connection.execute(select(table))]
            for name, table in Base.metadata.tables.items()
        }


@pytest.mark.parametrize(
    ("base_url", "site"),
    [
        ("https://shop.example.org", "shop.example.org"),
        ("https://shop.example.org:8443", "shop.example.org"),
        ("http://shop.example.org", "shop.example.org"),
        ("http://localhost:6543", "localhost"),
        ("http://127.0.0.1:8080", "localhost"),
        ("http://127.3.2.1", "localhost"),
        ("http://[::1]:6543", "localhost"),
        ("http://shop.localhost", "localhost"),
        ("http://192.0.2.7:80", "192.0.2.7"),
        ("http://localhost.example.org", "localhost.example.org"),
    ],
)
def test_a_site_is_a_host_and_this_machine_is_one_site(base_url: str, site: str) -> None:
    assert site_of(base_url) == site


def test_the_first_start_claims_and_the_next_ones_find_their_own(app: Router, clock: Clock) -> None:
    require_own_database(app.registry)
    require_own_database(app.registry)
    with app.registry.database.transaction(write=False) as session:
        owner = session.scalars(select(Owner)).one()
    assert (owner.host, owner.since) == ("localhost", clock.now)


def test_another_port_or_loopback_address_is_the_same_site(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    for base_url in ("http://localhost:6543", "http://127.0.0.1:8080", "http://[::1]"):
        require_own_database(make_app(settings_values | {"site.base_url": base_url}).registry)


@pytest.mark.parametrize("command", ["serve", "deliver", "send-test"])
def test_what_starts_for_another_site_writes_nothing_and_names_both_and_the_cure(
    pillarbox: Pillarbox, there: Path, owned: Outbox, relay: Relay, command: str
) -> None:
    owned.write(1, of=TEST_MESSAGE)
    database = owned.registry.database
    before = content(database)
    more = ["ada@example.org"] if command == "send-test" else []
    output = pillarbox(command, there, *more, code=1).output
    assert "belongs to shop.example.org" in output
    assert "site.base_url is on copy.example.net" in output
    assert f"pillarbox adopt {there}" in output
    assert content(database) == before
    assert relay.received == []


@on_sqlite
@pytest.mark.parametrize(
    "command",
    [("serve",), ("deliver",), ("send-test", "ada@example.org"), ("cancel", 1), ("purge",)],
    ids=lambda command: command[0],
)
def test_a_refused_command_changes_no_byte_of_a_copied_database_and_adds_no_file(
    pillarbox: Pillarbox,
    tmp_path: Path,
    sending_values: dict[str, str],
    owned: Outbox,
    command: tuple[object, ...],
) -> None:
    owned.write(1, of=TEST_MESSAGE)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    copy = folder / "shop.sqlite"
    with (
        closing(sqlite3.connect(str(owned.registry.database.engine.url.database))) as original,
        closing(sqlite3.connect(copy)) as target,
    ):
        original.backup(target)
    values = sending_values | THERE | {"database.url": f"sqlite:///{copy}"}
    ini = write_ini(folder / "copy.ini", values)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    name, *more = command
    words = [name, ini, *more] if name in TOP else ["emails", ini, name, *more]
    assert "belongs to shop.example.org" in pillarbox(*words, code=1).output
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_the_server_refuses_by_itself_however_it_is_started(
    make_app: MakeApp,
    settings_values: dict[str, str],
    owned: Outbox,
    refusal: Refusal,
) -> None:
    before = content(owned.registry.database)
    output = refusal(make_app(settings_values | THERE))
    assert "belongs to shop.example.org" in output
    assert "site.base_url is on copy.example.net" in output
    assert content(owned.registry.database) == before


def test_a_server_on_a_database_without_tables_says_what_to_run(
    app: Router, unmigrated: Callable[[], None], refusal: Refusal
) -> None:
    unmigrated()
    assert "pillarbox migrate" in refusal(app)


def test_pserve_ends_with_code_1_too(there: Path, owned: Outbox) -> None:
    program = "from pyramid.scripts.pserve import main; main()"
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, there],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "belongs to shop.example.org, and site.base_url is on copy.example.net" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("state", UNDER_WAY)
def test_adopting_cancels_what_was_still_to_be_sent(
    pillarbox: Pillarbox, there: Path, owned: Outbox, state: State
) -> None:
    waiting = put(owned, owned.write(1, of=TEST_MESSAGE, attachments=(RECEIPT,)), state)
    secret = put(owned, owned.write(2, of=kind("secret", carries_secret=True)), state)
    sent = put(owned, owned.write(3), State.SENT)
    lines = pillarbox("adopt", there).stdout.splitlines()
    assert lines == [
        "The database belongs to copy.example.net now, and no longer to shop.example.org.",
        "Emails cancelled: 2.",
    ]
    rows = [owned.row(email) for email in (waiting, secret)]
    assert [row.state for row in rows] == ["cancelled", "cancelled"]
    assert [row.reason for row in rows] == ["the database came from shop.example.org"] * 2
    assert [row.has_body for row in rows] == [True, False]
    assert attachments(owned) == 1
    assert owned.row(sent).state == "sent"
    pillarbox("emails", there, "purge")


def test_a_shop_that_moved_keeps_its_queue(
    pillarbox: Pillarbox, here: Path, there: Path, owned: Outbox
) -> None:
    email = owned.write(1)
    pillarbox("adopt", there, "--keep-queued")
    assert owned.row(email).state == "queued"
    assert "belongs to copy.example.net" in pillarbox("deliver", here, code=1).output


@pytest.mark.parametrize(
    ("policy", "state"), [(InDoubt.RESEND, State.QUEUED), (InDoubt.HOLD, State.UNKNOWN)]
)
def test_a_shop_that_moved_amid_a_delivery_treats_it_as_a_dead_workers(
    pillarbox: Pillarbox, there: Path, owned: Outbox, policy: InDoubt, state: State, relay: Relay
) -> None:
    doubtful = owned.write(1, of=kind("doubtful", in_doubt=policy))
    waiting = owned.write(2)
    gone, now = "lock-4711", owned.registry.clock()
    with owned.registry.database.transaction(write=True) as session:
        assert len(claim(session, gone, now, 10)) == 2
        put_by_force = session.get_one(OutboxEmail, doubtful.id)
        put_by_force.state = State.SENDING
    pillarbox("adopt", there, "--keep-queued")
    assert owned.row(doubtful).state == State.SENDING
    worker = Delivery(owned.registry)
    worker.run_once()
    worker.stop()
    assert owned.row(doubtful).state == state
    assert owned.row(waiting).state == State.SENT
    assert [received.recipients for received in relay.received] == [[waiting.recipient]]


def test_a_worker_that_still_runs_when_its_email_is_cancelled_leaves_it_so(
    pillarbox: Pillarbox, there: Path, owned: Outbox, relay: Relay
) -> None:
    email = owned.write(1, of=TEST_MESSAGE)
    relay.before_verdict = lambda: pillarbox("adopt", there)
    worker = Delivery(owned.registry)
    worker.run_once()
    worker.stop()
    row = owned.row(email)
    assert (row.state, row.reason) == ("cancelled", "the database came from shop.example.org")


def test_adopting_ones_own_database_changes_nothing(
    pillarbox: Pillarbox, here: Path, owned: Outbox
) -> None:
    email = owned.write(1)
    assert pillarbox("adopt", here).stdout == "The database belongs to shop.example.org.\n"
    assert owned.row(email).state == "queued"


def test_more_than_a_batch_is_cancelled_whole(
    pillarbox: Pillarbox, there: Path, owned: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.commands import adopt

    monkeypatch.setattr(adopt, "BATCH", 2)
    for number in range(5):
        owned.write(number)
    assert "Emails cancelled: 5." in pillarbox("adopt", there).stdout
    with owned.registry.database.transaction(write=False) as session:
        assert set(session.scalars(select(OutboxEmail.state))) == {"cancelled"}


def test_two_first_starts_at_once_agree_on_one_owner(
    make_app: MakeApp,
    settings_values: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from app.operations import readiness

    first, second = make_app(settings_values | HERE), make_app(settings_values | THERE)
    owning_site = readiness.owning_site
    answers = iter([None])

    def late(session: Any) -> str | None:
        # The second start looks before the first has claimed the database.
        return next(answers, owning_site(session))

    require_own_database(first.registry)
    monkeypatch.setattr(readiness, "owning_site", late)
    with pytest.raises(NotReady, match=r"belongs to shop\.example\.org"):
        require_own_database(second.registry)


@on_sqlite
@pytest.mark.parametrize("command", ["serve", "deliver"])
def test_a_refused_command_changes_no_byte_of_a_copy_made_by_vacuum(
    pillarbox: Pillarbox,
    tmp_path: Path,
    sending_values: dict[str, str],
    owned: Outbox,
    command: str,
) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    copy = folder / "shop.sqlite"
    with closing(sqlite3.connect(str(owned.registry.database.engine.url.database))) as original:
        # Such a copy has journal_mode "delete", so SQLite keeps its changes in no file beside it.
        original.execute("VACUUM INTO ?", (str(copy),))
    values = sending_values | THERE | {"database.url": f"sqlite:///{copy}"}
    ini = write_ini(folder / "copy.ini", values)
    before = copy.read_bytes()
    assert "belongs to shop.example.org" in pillarbox(command, ini, code=1).output
    assert copy.read_bytes() == before
