"""``pillarbox bounce`` and ``pillarbox bounces``: reports from a pipe and from a maildir."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import select

from app.commands import bounces
from app.database import sqlite
from app.mail.command_counts import MetricCount
from app.mail.events.hearing import Counts
from app.mail.outbox.event_tables import EmailEvent, EventSource
from app.mail.outbox.tables import OutboxEmail, State
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, put
from tests.support.pillarbox_command import Pillarbox
from tests.support.reports import report
from tests.support.shop_settings import write_ini

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"
ANSWERS = [b"", b"\x00\xff", b"Hello, I am a person.\n", b"Content-Type: multipart/report\n\n"]


@pytest.fixture
def email(outbox: Outbox) -> OutboxEmail:
    """An email that was sent."""
    now = outbox.registry.clock()
    return put(outbox, outbox.write(1), State.SENT, sent_at=now)


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    """An empty maildir."""
    for name in ("cur", "new", "tmp"):
        (tmp_path / "bounces" / name).mkdir(parents=True)
    return tmp_path / "bounces"


def events(outbox: Outbox) -> list[str]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(EmailEvent.event)))


def unmatched(outbox: Outbox) -> int:
    with outbox.registry.database.transaction(write=False) as session:
        source = session.get(EventSource, "report")
        return 0 if source is None else source.unmatched


def put_into(folder: Path, **messages: bytes) -> None:
    for name, octets in messages.items():
        (folder / name).write_bytes(octets)


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- pillarbox bounce -----------------------------------------------------------


def test_a_bounce_from_the_pipe_moves_its_email_and_prints_nothing(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail
) -> None:
    octets = report("postfix", outbox.registry, email)
    for _ in range(2):
        assert pillarbox("bounce", ini, typed=octets).output == ""
    assert outbox.row(email).state == State.BOUNCED
    assert events(outbox) == ["bounced"]


@on_sqlite
def test_what_it_counts_waits_for_the_next_scrape(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail
) -> None:
    pillarbox("bounce", ini, typed=report("postfix", outbox.registry, email))
    with outbox.registry.database.transaction(write=False) as session:
        counts = session.scalars(select(MetricCount).order_by(MetricCount.name))
        assert [(row.name, row.labels, row.number) for row in counts] == [
            ("pillarbox_emails_total", '{"kind": "note", "state": "bounced"}', 1),
            ("pillarbox_events_total", '{"event": "bounced"}', 1),
        ]


@pytest.mark.parametrize("octets", ANSWERS)
@on_sqlite
def test_what_is_no_report_is_taken_counted_and_never_answered(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail, octets: bytes
) -> None:
    assert pillarbox("bounce", ini, typed=octets).output == ""
    assert unmatched(outbox) == 1
    with outbox.registry.database.transaction(write=False) as session:
        assert session.scalars(select(OutboxEmail.id)).all() == [email.id]


@on_sqlite
def test_a_report_of_50_megabytes_is_read_to_its_end(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail
) -> None:
    octets = report("exim", outbox.registry, email) + b"x" * 50_000_000
    pillarbox("bounce", ini, typed=octets)
    assert outbox.row(email).state == State.BOUNCED


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"database.url": NOWHERE}, "The database cannot be used"),
        ({"site.base_url": "http://copy.example.org"}, "This database belongs to"),
        ({"secret": ""}, "Pillarbox cannot start"),
    ],
)
@on_sqlite
def test_a_report_that_cannot_be_taken_in_now_stays_with_the_email_server(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    email: OutboxEmail,
    sending_values: dict[str, str],
    changes: dict[str, str],
    words: str,
) -> None:
    pillarbox("adopt", ini)
    write_ini(ini, sending_values | changes)
    octets = report("postfix", outbox.registry, email)
    assert words in pillarbox("bounce", ini, typed=octets, code=75).output
    assert events(outbox) == []
    write_ini(ini, sending_values)
    pillarbox("bounce", ini, typed=octets)
    assert events(outbox) == ["bounced"]


def test_a_database_without_tables_is_no_reason_to_lose_a_report(
    pillarbox: Pillarbox, ini: Path, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    assert "pillarbox migrate" in pillarbox("bounce", ini, typed=b"\n", code=75).output


def test_an_ini_file_that_is_missing_is_no_reason_to_lose_a_report(
    pillarbox: Pillarbox, tmp_path: Path
) -> None:
    missing = tmp_path / "missing.ini"
    assert "cannot be read" in pillarbox("bounce", missing, typed=b"\n", code=75).output


@on_sqlite
def test_a_busy_database_is_no_reason_to_lose_a_report(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    pillarbox("adopt", ini)
    monkeypatch.setattr(sqlite, "SQLITE_BUSY_SECONDS", 0.1)
    path = str(outbox.registry.database.engine.url.database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        output = pillarbox("bounce", ini, typed=b"\n", code=75).output
    assert "Another program holds the database" in output


@on_sqlite
def test_a_mistake_of_ours_is_no_reason_to_lose_a_report(
    pillarbox: Pillarbox,
    ini: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(bounces, "hear_report", fail)
    pillarbox("bounce", ini, typed=b"\n", code=75)
    assert "report cannot be taken in" in caplog.text


# --- pillarbox bounces ----------------------------------------------------------


def test_the_reports_of_a_maildir_are_taken_in_and_moved(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail, maildir: Path
) -> None:
    put_into(
        maildir / "new",
        **{
            "1.M1.host": report("postfix_delayed", outbox.registry, email),
            "2.M2.host:2,": report("postfix", outbox.registry, email),
            "3.M3.host": b"Hello, I am a person.\n",
            ".hidden": b"",
        },
    )
    result = pillarbox("bounces", ini, "--maildir", maildir)
    assert result.stdout == "Read 3 of 3 messages; 2 are about emails of this shop.\n"
    assert names_in(maildir / "new") == [".hidden"]
    assert names_in(maildir / "cur") == ["1.M1.host:2,S", "2.M2.host:2,S", "3.M3.host:2,S"]
    assert sorted(events(outbox)) == ["bounced", "deferred"]
    again = pillarbox("bounces", ini, "--maildir", maildir).stdout
    assert again == "Read 0 of 0 messages; 0 are about emails of this shop.\n"
    assert unmatched(outbox) == 1


@on_sqlite
def test_a_report_that_was_moved_back_is_not_written_again(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail, maildir: Path
) -> None:
    for _ in range(2):
        put_into(maildir / "new", one=report("postfix", outbox.registry, email))
        pillarbox("bounces", ini, "--maildir", maildir)
    assert events(outbox) == ["bounced"]


@on_sqlite
def test_what_cannot_be_read_stays_is_named_and_stops_nothing(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, email: OutboxEmail, maildir: Path
) -> None:
    (maildir / "new" / "a-folder").mkdir()
    (maildir / "new" / "b-link").symlink_to(ini)
    put_into(maildir / "new", z=report("postfix", outbox.registry, email))
    output = pillarbox("bounces", ini, "--maildir", maildir, code=1).output
    assert "Read 1 of 3 messages; 1 are about emails of this shop." in output
    assert "a-folder: " in output
    assert "b-link: " in output
    assert names_in(maildir / "new") == ["a-folder", "b-link"]
    assert events(outbox) == ["bounced"]


@on_sqlite
def test_a_report_that_cannot_be_moved_is_named(
    pillarbox: Pillarbox, ini: Path, maildir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def remove_cur(*_: object) -> Counts:
        (maildir / "cur").rmdir()
        return Counts(new=1)

    monkeypatch.setattr(bounces, "_hear", remove_cur)
    put_into(maildir / "new", one=b"\n")
    output = pillarbox("bounces", ini, "--maildir", maildir, code=1).output
    assert "one: No such file or directory" in output
    assert names_in(maildir / "new") == ["one"]


@on_sqlite
def test_nothing_is_moved_before_it_is_committed(
    pillarbox: Pillarbox,
    ini: Path,
    outbox: Outbox,
    email: OutboxEmail,
    maildir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pillarbox("adopt", ini)
    put_into(maildir / "new", one=report("postfix", outbox.registry, email), two=b"\n")
    monkeypatch.setattr(sqlite, "SQLITE_BUSY_SECONDS", 0.1)
    path = str(outbox.registry.database.engine.url.database)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        output = pillarbox("bounces", ini, "--maildir", maildir, code=1).output
    assert "Read 0 of 2 messages" in output
    assert "Another program holds the database" in output
    assert names_in(maildir / "new") == ["one", "two"]
    pillarbox("bounces", ini, "--maildir", maildir)
    assert names_in(maildir / "cur") == ["one:2,S", "two:2,S"]


def test_two_runs_at_once_write_each_event_once_and_move_each_report(
    ini: Path, outbox: Outbox, maildir: Path
) -> None:
    now = outbox.registry.clock()
    emails = [put(outbox, outbox.write(number), State.SENT, sent_at=now) for number in range(10)]
    reports = {
        f"{number:02}": report("qmail", outbox.registry, email)
        for number, email in enumerate(emails)
    }
    put_into(maildir / "new", **reports)
    code = "from app.commands import main; main()"
    command = [sys.executable, "-c", code, "bounces", str(ini), "--maildir", str(maildir)]
    runs = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    assert [(run.communicate(), run.returncode)[1] for run in runs] == [0, 0]
    assert events(outbox) == ["bounced"] * 10
    assert names_in(maildir / "new") == []
    assert len(names_in(maildir / "cur")) == 10


@on_sqlite
def test_a_folder_that_is_no_maildir_is_refused(
    pillarbox: Pillarbox, ini: Path, tmp_path: Path
) -> None:
    output = pillarbox("bounces", ini, "--maildir", tmp_path, code=1).output
    assert "is not a maildir: it needs the folders new and cur" in output
    pillarbox("bounces", ini, "--maildir", tmp_path / "nowhere", code=2)
