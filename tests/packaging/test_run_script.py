"""`./run`: what it needs from the machine, and what it does on each call.

A shell script stands in for Python. It records its arguments and installs nothing.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "run"
TOOLS = ("cat", "chmod", "cksum", "cp", "dirname", "ln", "mkdir", "readlink", "rm", "sleep")

PYTHON = """\
#!/bin/sh
echo "$*" >>"$LOG"
case "$*" in
"-c import sys;"*) exit "${TOO_OLD:-0}" ;;
"-c import ensurepip"*) exit "${NO_VENV:-0}" ;;
"-m venv"*)
    rm -rf "$4"
    mkdir -p "$4/bin"
    cp "$0" "$4/bin/python"
    printf '#!/bin/sh\\necho "pillarbox $* at $PILLARBOX_SITE_BASE_URL"' >"$4/bin/pillarbox"
    chmod +x "$4/bin/pillarbox"
    ;;
"-m pip"*) echo "ERROR: as told"; exit "${NO_NETWORK:-0}" ;;
"-m pytest"* | "-m benchmarks"*) echo "$*" ;;
esac
"""
LOCKS = (
    "requirements.lock",
    "requirements-test.lock",
    "benchmarks/requirements.lock",
    "setup.py",
)
FINDS_PYTHON = "-c import sys; sys.exit(sys.version_info < (3, 11))"
FIRST_SET_UP = [
    FINDS_PYTHON,
    "-c import ensurepip, venv",
    "-m venv --clear .venv",
    "-m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock",
    "-m pip install --quiet --disable-pip-version-check"
    " --no-deps --no-build-isolation --no-index --editable .",
]


class Machine:
    """A folder with `run` and its locks, and a PATH on which the only Python is a script."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "a shop"
        self.project.mkdir()
        shutil.copy(RUN, self.project)
        (self.project / "benchmarks").mkdir()
        for name in LOCKS:
            (self.project / name).write_text(name)
        self.path = folder / "bin"
        self.path.mkdir()
        for tool in TOOLS:
            (self.path / tool).symlink_to(shutil.which(tool) or tool)
        self.log = folder / "log"
        self.add_python("python3")

    def add_python(self, name: str) -> None:
        (self.path / name).write_text(PYTHON)
        (self.path / name).chmod(0o755)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.project / "run", *arguments],
            cwd="/",
            env={"PATH": str(self.path), "LOG": str(self.log), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> str:
        """The last line that `run` prints."""
        process = self.start(*arguments, **variables)
        out, error = process.communicate(timeout=60)
        assert (process.returncode, error) == (0, "")
        return out.splitlines()[-1]

    def refusal(self, *arguments: str, **variables: str) -> str:
        """The error of `run`, which is one line."""
        process = self.start(*arguments, **variables)
        _, error = process.communicate(timeout=60)
        assert process.returncode == 1
        [line] = error.splitlines()
        return line

    def steps(self) -> list[str]:
        """The calls of Python since the last look."""
        steps = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return steps


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_first_call_sets_up_and_serves(machine: Machine) -> None:
    assert machine.run() == "pillarbox serve development.ini at "
    assert machine.steps() == FIRST_SET_UP


def test_a_second_call_sets_up_nothing(machine: Machine) -> None:
    machine.run()
    machine.steps()
    machine.run()
    assert machine.steps() == []


@pytest.mark.parametrize("name", ["requirements.lock", "setup.py"])
def test_a_changed_lock_or_setup_sets_up_anew(machine: Machine, name: str) -> None:
    machine.run()
    machine.steps()
    (machine.project / name).write_text("changed")
    machine.run()
    assert machine.steps() == FIRST_SET_UP


def test_a_moved_folder_sets_up_anew(machine: Machine) -> None:
    machine.run()
    machine.steps()
    machine.project = machine.project.rename(machine.project.with_name("elsewhere"))
    machine.run()
    assert machine.steps() == FIRST_SET_UP


def test_a_set_up_that_failed_is_begun_again(machine: Machine) -> None:
    line = machine.refusal(NO_NETWORK="1")
    assert line == (
        "run: pip install --require-hashes -r requirements.lock failed."
        " Is there a network? See .venv/set-up.log"
    )
    assert (machine.project / ".venv/set-up.log").read_text() == "ERROR: as told\n"
    machine.steps()
    machine.run()
    assert machine.steps() == FIRST_SET_UP


def test_the_lock_of_a_killed_set_up_is_taken_over(machine: Machine) -> None:
    killed = subprocess.Popen(["true"])
    killed.wait()
    (machine.project / ".venv.lock").symlink_to(str(killed.pid))
    assert machine.run().startswith("pillarbox serve")
    assert not (machine.project / ".venv.lock").is_symlink()


def test_two_calls_at_once_set_up_once(machine: Machine) -> None:
    calls = [machine.start(), machine.start()]
    for call in calls:
        out, error = call.communicate(timeout=60)
        assert (call.returncode, error) == (0, "")
        assert out.endswith("pillarbox serve development.ini at \n")
    assert machine.steps() == FIRST_SET_UP


def test_the_base_url_follows_the_port(machine: Machine) -> None:
    assert machine.run(PORT="8080").endswith(" at http://localhost:8080")
    chosen = machine.run(PORT="8080", PILLARBOX_SITE_BASE_URL="https://shop.test")
    assert chosen.endswith(" at https://shop.test")


def test_a_command_is_passed_on_and_keeps_its_own_base_url(machine: Machine) -> None:
    passed_on = machine.run("doctor", "production.ini", PORT="8080")
    assert passed_on == "pillarbox doctor production.ini at "


def test_tests_are_set_up_once_too_and_take_arguments(machine: Machine) -> None:
    assert machine.run("test", "-k", "reset") == "-m pytest -n auto --dist worksteal -k reset"
    adds_tools = FIRST_SET_UP[3].replace("requirements.lock", "requirements-test.lock")
    assert machine.steps() == [
        *FIRST_SET_UP,
        adds_tools,
        "-m pytest -n auto --dist worksteal -k reset",
    ]
    machine.run("test")
    assert machine.steps() == ["-m pytest -n auto --dist worksteal"]


def test_translating_gathers_the_texts_and_brings_the_catalogues_up_to_date(
    machine: Machine,
) -> None:
    machine.start("translate").communicate(timeout=60)
    *_, extract, update = machine.steps()
    assert extract.startswith("-m babel.messages.frontend --quiet extract --mapping-file=pyproject")
    assert update.startswith("-m babel.messages.frontend --quiet update --input-file=var/")
    assert "--locale" not in update
    machine.start("translate", "fr").communicate(timeout=60)
    assert machine.steps()[-1].endswith(" --init-missing --locale=fr")


def test_the_benchmark_is_set_up_once_in_an_environment_of_its_own(machine: Machine) -> None:
    machine.run()
    machine.steps()
    assert machine.run("bench", "--quick") == "-m benchmarks --quick"
    its_own = [step.replace("--clear .venv", "--clear .venv-bench") for step in FIRST_SET_UP]
    adds_peers = FIRST_SET_UP[3].replace("requirements.lock", "benchmarks/requirements.lock")
    assert machine.steps() == [*its_own, adds_peers, "-m benchmarks --quick"]
    machine.run("bench")
    assert machine.steps() == ["-m benchmarks"]


def test_too_old_a_python_is_told_in_one_line(machine: Machine) -> None:
    assert machine.refusal(TOO_OLD="1").startswith("run: Python 3.11 or later is needed")


def test_no_python_at_all_is_told_in_one_line(machine: Machine) -> None:
    (machine.path / "python3").unlink()
    assert machine.refusal().startswith("run: Python 3.11 or later is needed")


def test_a_newer_python_under_another_name_is_found(machine: Machine) -> None:
    (machine.path / "python3").unlink()
    machine.add_python("python3.12")
    machine.run()
    assert machine.steps() == FIRST_SET_UP


def test_the_python_that_the_caller_names_is_the_one_taken(machine: Machine) -> None:
    (machine.path / "python3").unlink()
    machine.add_python("my python")
    machine.run(PYTHON=str(machine.path / "my python"))
    assert machine.steps() == FIRST_SET_UP
    (machine.project / "setup.py").write_text("changed")
    assert machine.refusal(PYTHON="python9") == (
        "run: PYTHON=python9 is not a Python 3.11 or later"
    )


def test_a_python_without_venv_is_told_in_one_line(machine: Machine) -> None:
    assert machine.refusal(NO_VENV="1") == (
        "run: python3 cannot make virtual environments; on Debian: apt install python3-venv"
    )
