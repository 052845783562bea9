"""A long command shows on a terminal how far it is, and nowhere else."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from app.accounts.email_kinds import WELCOME
from app.commands.progress import progress
from app.database.clock import utc_clock
from app.mail.outbox.tables import State
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, put
from tests.support.reports import report
from tests.support.server_process import environment
from tests.support.server_process import pillarbox as pillarbox_process

ADA = "ada@example.org"


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def test_each_text_takes_the_place_of_the_one_before_and_the_last_one_vanishes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal := Terminal())
        with progress() as show:
            show("a long text")
            show("short")
            show("a name with \x1b[31m and " + "x" * 40)
    first, second, third, cleared, end = terminal.getvalue().split("\r")[1:]
    assert (first, second) == ("a long text …", "short …      ")
    assert third.startswith("a name with [31m and xxx")
    assert len(third) == 39
    assert (cleared, end) == (" " * 39, "")


def test_empty_words_clear_the_line_for_what_the_command_prints(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", terminal := Terminal())
        with progress() as show:
            show("waiting")
            show("")
            terminal.write("A sentence.\n")
            show("on")
    assert terminal.getvalue() == f"\rwaiting …\r{' ' * 9}\rA sentence.\n\ron …\r    \r"


def test_nothing_is_written_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as show:
        show("a text")
    assert capsys.readouterr() == ("", "")


def on_terminal(*arguments: object, code: int = 0) -> tuple[str, str]:
    """What the command writes to standard output, and what it shows on a terminal meanwhile."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        pillarbox_process(*arguments),
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(),
        check=False,
        text=True,
        timeout=60,
    )
    os.set_blocking(ours, False)
    shown = b""
    with suppress(BlockingIOError):
        while part := os.read(ours, 65_536):
            shown += part
    os.close(theirs)
    os.close(ours)
    assert done.returncode == code, shown
    return done.stdout, shown.decode()


@on_sqlite
def test_a_migration_shows_its_steps(ini: Path, unmigrated: Callable[[], None]) -> None:
    unmigrated()
    printed, shown = on_terminal("migrate", ini)
    assert printed == "The database is up to date.\n"
    assert "migrating the database: 0001 of 0" in shown
    assert shown.endswith("\r")


@on_sqlite
def test_erasing_shows_how_many_emails_are_erased(ini: Path, outbox: Outbox) -> None:
    for number in range(2):
        outbox.write(number, of=WELCOME, address=ADA)
    printed, shown = on_terminal("emails", ini, "erase", ADA, "--yes")
    assert printed == "2 emails erased.\n"
    assert "emails erased: 0 of 2 …" in shown
    assert shown.endswith("\r")


@on_sqlite
def test_a_purge_shows_how_many_bodies_are_erased(ini: Path, outbox: Outbox) -> None:
    long_ago = utc_clock() - timedelta(days=31)
    put(outbox, outbox.write(1, of=WELCOME), State.SENT, created_at=long_ago)
    printed, shown = on_terminal("emails", ini, "purge")
    assert printed == "The bodies of 1 email older than 30 days were erased.\n"
    assert "bodies erased: 1 …" in shown
    assert shown.endswith("\r")


@on_sqlite
def test_a_maildir_shows_how_many_reports_are_read(
    ini: Path, outbox: Outbox, tmp_path: Path
) -> None:
    email = put(outbox, outbox.write(1, of=WELCOME), State.SENT, sent_at=utc_clock())
    new = tmp_path / "bounces" / "new"
    new.mkdir(parents=True)
    (tmp_path / "bounces" / "cur").mkdir()
    (new / "1.M1.host").write_bytes(report("postfix", outbox.registry, email))
    printed, shown = on_terminal("bounces", ini, "--maildir", tmp_path / "bounces")
    assert printed == "Read 1 of 1 messages; 1 are about emails of this shop.\n"
    assert "Reports" in shown
    assert "100%" in shown


@on_sqlite
def test_a_test_email_shows_that_the_command_waits(ini: Path, outbox: Outbox) -> None:
    printed, shown = on_terminal("send-test", ini, ADA)
    assert printed.endswith("The relay accepted the email: 250 2.0.0 taken\n")
    assert "waiting for the relay's verdict …" in shown
    assert shown.endswith("\r")
