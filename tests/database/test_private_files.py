"""Only their owner may read SQLite's files and the folders that we make for them."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from app.database.engine import Database
from app.database.private_files import warn_of_open_folder
from app.mail.delivery.liveness import liveness_for
from app.migrations import migrate

UMASKS = [0o000, 0o022, 0o027, 0o077, 0o277]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def modes(folder: Path) -> dict[str, str]:
    return {path.name: f"{stat.S_IMODE(path.stat().st_mode):o}" for path in folder.iterdir()}


def write(database: Database) -> None:
    with database.transaction(write=True) as session:
        session.execute(text("CREATE TABLE IF NOT EXISTS x (y)"))


@pytest.mark.parametrize("mask", UMASKS)
def test_new_files_and_folders_are_private_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    database = Database(f"sqlite:///{tmp_path / 'var' / 'shop.sqlite'}")
    with umask(mask):
        migrate(database.engine)
        write(database)
        worker = liveness_for(database.engine)
    assert modes(tmp_path) == {"var": "700"}
    found = modes(tmp_path / "var")
    assert found == {
        "shop.sqlite": "600",
        "shop.sqlite-wal": "600",
        "shop.sqlite-shm": "600",
        "shop.sqlite-workers": "700",
    }
    worker.close()
    database.dispose()


def test_existing_files_are_closed_while_they_are_in_use(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    first, second = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    write(first)
    (tmp_path / "shop.sqlite-workers").mkdir()
    for file in tmp_path.iterdir():
        file.chmod(0o755 if file.is_dir() else 0o644)
    write(second)
    liveness_for(second.engine).close()
    assert set(modes(tmp_path).values()) == {"600", "700"}
    first.dispose()
    second.dispose()


def test_a_further_connection_leaves_the_locks_of_the_first_in_place(tmp_path: Path) -> None:
    # Closing any descriptor of a file drops the process's POSIX locks on it.
    path = tmp_path / "shop.sqlite"
    first, second = Database(f"sqlite:///{path}"), Database(f"sqlite:///{path}")
    with first.transaction(write=True) as session:
        session.execute(text("CREATE TABLE x (y)"))
        before = Path("/proc/locks").read_text().count(f":{path.stat().st_ino} ")
        with second.reading.connect():
            pass
        after = Path("/proc/locks").read_text().count(f":{path.stat().st_ino} ")
    assert after >= before
    first.dispose()
    second.dispose()


def test_a_folder_without_a_place_is_still_sqlites_error(tmp_path: Path) -> None:
    from sqlalchemy.exc import OperationalError

    database = Database(f"sqlite:///{tmp_path / 'no' / 'shop.sqlite'}")
    with pytest.raises(OperationalError, match="unable to open database file"):
        write(database)
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(("mode", "is_open"), [(0o700, False), (0o755, True), (0o710, True)])
def test_an_open_folder_is_a_warning_and_stays_as_it_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, is_open: bool
) -> None:
    tmp_path.chmod(mode)
    warn_of_open_folder(make_url(f"sqlite:///{tmp_path / 'shop.sqlite'}"))
    expected = (
        "database folder open to other users, close it with chmod 700:"
        f" mode={mode:o} folder={tmp_path}"
    )
    assert caplog.messages == [expected] * is_open
    assert stat.S_IMODE(tmp_path.stat().st_mode) == mode


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "postgresql+psycopg://nobody@127.0.0.1/nowhere"]
)
def test_a_database_without_a_file_has_no_folder(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    warn_of_open_folder(make_url(url))
    assert caplog.messages == []
