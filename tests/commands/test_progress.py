"""A long command shows on a terminal how far it is, and nowhere else."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from io import StringIO
from pathlib import Path

import pytest

from app.commands.progress import progress
from tests.support.databases import on_sqlite
from tests.support.server_process import environment


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


def test_nothing_is_written_where_nobody_watches(capsys: pytest.CaptureFixture[str]) -> None:
    with progress() as show:
        show("a text")
    assert capsys.readouterr() == ("", "")


@on_sqlite
def test_a_migration_shows_its_steps(ini: Path, unmigrated: Callable[[], None]) -> None:
    unmigrated()
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from app.commands import main; main()", "migrate", str(ini)]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=environment(),
        check=True,
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
    assert done.stdout == "The database is up to date.\n"
    assert b"migrating the database: 0001 of 0" in shown
    assert shown.endswith(b"\r")
