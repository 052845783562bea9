"""SQLite's files hold password hashes, addresses and bodies, so only their owner may read them."""

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL

log = logging.getLogger(__name__)

_FILE, _FOLDER = 0o600, 0o700
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_SUFFIXES = ("", "-wal", "-shm", "-journal")


def path_of(url: URL) -> Path | None:
    """The path of an SQLite database, None when the database is no file."""
    path = url.database or ":memory:"
    if path.startswith("file:"):
        is_memory = "memory" in path or "memory" in url.query.values()
        path = ":memory:" if is_memory else unquote(urlsplit(path).path)
    is_file = url.get_backend_name() == "sqlite" and path != ":memory:"
    # SQLite makes its other files beside the file that a link leads to.
    return Path(path).resolve() if is_file else None


def make_files_private(database: Path) -> None:
    """Create the database's file if there is none, and keep other users from it and from the files
    beside it, whatever the umask. SQLite gives files that it makes later the mode of the first.
    """
    # Never open the file of an existing database here: closing it would drop every POSIX lock that
    # SQLite holds on it in this process. O_EXCL opens only a new file.
    # Other errors are SQLite's to report, such as a folder that does not exist.
    with suppress(OSError):
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_EXCL, _FILE))
    for suffix in _SUFFIXES:
        path = database.with_name(database.name + suffix)
        if path.is_file():
            _set_mode(path, _FILE)


def make_private_folder(folder: Path) -> None:
    """A folder for its owner alone. It is created unless it exists."""
    folder.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
    _set_mode(folder, _FOLDER)


def _set_mode(path: Path, mode: int) -> None:
    # SQLite deletes its files at times, and a file of another user stays as that user wants it.
    with suppress(OSError):
        if stat.S_IMODE(path.stat().st_mode) != mode:
            path.chmod(mode)


def warn_of_open_folder(url: URL) -> None:
    """Log a warning when other users may look into the database's folder. It may hold other files,
    so its mode is not changed here.
    """
    database = path_of(url)
    if database is None:
        return
    folder = database.parent.absolute()
    with suppress(OSError):
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & _OTHERS:
            log.warning(
                "database folder open to other users, close it with chmod 700: mode=%03o folder=%s",
                mode,
                folder,
            )
