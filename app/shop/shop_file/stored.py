"""The folder ``shop.files``: what is sold and shown, each file under its SHA-256."""

import fcntl
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from app.database.private_files import make_private_folder

CHUNK = 1 << 20
_UNFINISHED = ".unfinished-"
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file that lies in the folder. ``size`` is in octets."""

    sha256: str
    size: int


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make the folder, for its owner alone, and keep every other import out of it until the end of
    the block. Else one import could delete a file that another one is about to need.

    Raises ``OSError``.
    """
    make_private_folder(folder)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def store(folder: Path, source: Path) -> StoredFile:
    """Copy ``source`` into the folder unless it lies there. It is on the disk when this returns.

    Raises ``OSError``.
    """
    digest = sha256()
    size = 0
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            size += len(chunk)
    stored = StoredFile(digest.hexdigest(), size)
    if not _lies_there(folder, stored):
        # The file may have changed since, so the copy has a digest of its own.
        stored = _copy(folder, source)
    return stored


def delete_others(folder: Path, needed: set[str]) -> None:
    """Delete the files that are not ``needed``, and those that a killed import left unfinished.

    A file that cannot be deleted stays for the next import.
    """
    with suppress(OSError):
        for path in list(folder.iterdir()):
            is_ours = _DIGEST.fullmatch(path.name) or path.name.startswith(_UNFINISHED)
            if is_ours and path.name not in needed:
                with suppress(OSError):
                    path.unlink()


def _lies_there(folder: Path, stored: StoredFile) -> bool:
    path = folder / stored.sha256
    return path.is_file() and path.stat().st_size == stored.size


def _copy(folder: Path, source: Path) -> StoredFile:
    descriptor, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=folder)
    digest = sha256()
    size = 0
    try:
        with source.open("rb") as file, os.fdopen(descriptor, "wb") as copy:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                size += copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        os.replace(name, folder / digest.hexdigest())
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(folder)
    return StoredFile(digest.hexdigest(), size)


def _sync_folder(folder: Path) -> None:
    # The new name, too, has to survive a power failure.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
