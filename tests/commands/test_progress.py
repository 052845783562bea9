"""A long command shows on a terminal how far it is, and nowhere else."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.commands.progress import progress
from tests.support.databases import on_sqlite
from tests.support.server_process import environment


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Standard error is a terminal with 40 columns; the function is what it was sent."""
    ours, theirs = pty.openpty()
    monkeypatch.setenv("COLUMNS", "40")
    with os.fdopen(theirs, "w", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        yield lambda: os.read(ours, 65_536).decode()
    os.close(ours)


def test_each_text_takes_the_place_of_the_one_before_and_the_last_one_vanishes(
    terminal: Callable[[], str],
) -> None:
    with progress() as show:
        show("a long text")
        show("short")
        show("a name with \x1b[31m and " + "x" * 40)
    first, second, third, cleared, end = terminal().split("\r")[1:]
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
        command, stdout=subprocess.PIPE, stderr=theirs, env=environment(), check=True, text=True
    )
    os.close(theirs)
    shown = os.read(ours, 65_536).decode()
    os.close(ours)
    assert done.stdout == "The database is up to date.\n"
    assert "migrating the database: 0001 of 0" in shown
    assert shown.endswith("\r")
