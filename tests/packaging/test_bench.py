"""`./run bench --quick` runs every benchmark. Its figures are noise."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.__main__ import BENCHMARKS

ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_folder() -> Iterator[Path]:
    # PostgreSQL runs as a user of its own, which needs access, and its socket needs a short path.
    folder = Path(tempfile.mkdtemp(prefix="b-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def bench(folder: Path, *names: str) -> str:
    """The output of the benchmarks, which keep their temporary files in ``folder``."""
    command = ["-m", "benchmarks", "--quick", *names]
    ended = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_the_cheap_benchmarks_run_and_leave_nothing_behind(empty_folder: Path) -> None:
    printed = bench(empty_folder, "context", "latency", "claims")
    for name in ("context", "latency", "claims"):
        assert f"({name}, " in printed
    assert list(empty_folder.iterdir()) == []


@pytest.mark.long
def test_all_benchmarks_run(empty_folder: Path) -> None:
    printed = bench(empty_folder)
    assert printed.count("target:") == len(BENCHMARKS)
    assert list(empty_folder.iterdir()) == []
