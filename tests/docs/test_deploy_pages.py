"""What the documents for those who run the shop name exists: commands, options, settings, units,
files.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import click
import pytest

from app.commands import main
from app.settings.declarations import all_settings

PROJECT = Path(__file__).parents[2]
DOCS = PROJECT / "docs"
FILES = DOCS / "deploy"
UNITS = FILES / "systemd"
PAGES = sorted({*DOCS.glob("*.md"), *PROJECT.glob("*.md")})
FOR_OPERATORS = [DOCS / f"{name}.md" for name in ("relay", "monitoring", "payments", "shop")]
FOR_OPERATORS += sorted(DOCS.glob("deploy*.md"))
SETTINGS = {setting.name for setting in all_settings()}
SECTIONS = "|".join(sorted({name.partition(".")[0] for name in SETTINGS if "." in name}))
NO_SETTINGS = {"shop.toml", "shop.md", "payments.md"}

by_name = pytest.mark.parametrize("page", FOR_OPERATORS, ids=lambda page: page.name)


def needs(program: str) -> pytest.MarkDecorator:
    """Skip the test on a machine without the program. In CI it runs, and fails there."""
    is_missing = shutil.which(program) is None and "CI" not in os.environ
    return pytest.mark.skipif(is_missing, reason=f"{program} is not installed")


def check_command(words: list[str]) -> None:
    """Check that there are the command and the options of ``words``, which follow `pillarbox` on a
    command line.
    """
    command: click.Command = main
    options: set[str] = {"--version", "--help"}
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in options, (word, words)
        elif isinstance(command, click.Group) and word in command.commands:
            command = command.commands[word]
            options |= {name for parameter in command.params for name in parameter.opts}
    # In prose, `pillarbox emails` or `pillarbox emails INI` may stand for the whole group.
    is_group = isinstance(command, click.Group)
    assert not is_group or (command is not main and len(words) <= 2) or "--version" in words, words


@by_name
def test_the_commands_of_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    lines = re.findall(r"(?m)^pillarbox (?!unix)([a-z-].*)$", text)
    lines += re.findall(r"`pillarbox ([a-z-][^`]*)`", text)
    lines += re.findall(r"(?m)^ *(?:ExecStart=)?/opt/pillarbox/bin/pillarbox (.*)$", text)
    for line in lines:
        check_command(re.split(r"  |#|<|\|", line)[0].split())


@by_name
def test_the_commands_of_a_page_run_as_root(page: Path) -> None:
    assert "sudo " not in page.read_text("utf-8")


@by_name
def test_the_settings_of_a_page_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(rf"(?<![\w./-])((?:{SECTIONS})\.[a-z][a-z_.]*[a-z])(?![\w/(@-])", text))
    hosts = {name for name in named if name.startswith("shop.example")}
    assert sorted(named - SETTINGS - NO_SETTINGS - hosts) == []


def test_the_environments_of_pages_and_services_name_settings() -> None:
    variables = {"PILLARBOX_" + name.upper().replace(".", "_") for name in SETTINGS}
    for path in [*FOR_OPERATORS, FILES / "environment", PROJECT / "production.ini"]:
        for name in re.findall(r"PILLARBOX_[A-Z_]+", path.read_text("utf-8")):
            assert name.removesuffix("_FILE") in variables, (path.name, name)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_to_files_and_headings(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, heading = target.partition("#")
        path = page.parent / name if name else page
        assert path.exists(), target
        if heading:
            headings = re.findall(r"(?m)^#+ (.*)$", path.read_text("utf-8"))
            slugs = [re.sub(r"[^\w -]", "", text.lower()).replace(" ", "-") for text in headings]
            assert heading in slugs, target


def test_the_services_start_commands_that_exist() -> None:
    started = {
        unit.name: re.findall(r"(?m)^ExecStart=(.*)$", unit.read_text())
        for unit in UNITS.glob("*.service")
    }
    assert {len(commands) for commands in started.values()} == {1}
    for name, [command] in started.items():
        program, *words = command.split()
        if name == "pillarbox-backup.service":
            assert (FILES / Path(program).name).exists()
        else:
            assert program == "/opt/pillarbox/bin/pillarbox"
            check_command(words)


def test_each_timer_has_its_service() -> None:
    timers = sorted(UNITS.glob("*.timer"))
    assert timers
    assert [timer for timer in timers if not timer.with_suffix(".service").exists()] == []


def shell_block(page: str, words: str) -> str:
    """The page's shell commands with these words in them."""
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text("utf-8"), re.DOTALL)
    [block] = [block for block in blocks if words in block]
    return block


def test_the_secrets_of_the_one_machine_page_are_those_that_the_services_read(
    tmp_path: Path,
) -> None:
    block = shell_block("deploy-one-machine.md", "cd /etc/pillarbox/secrets\n")
    block = block.replace("/etc/pillarbox/secrets", str(tmp_path)).replace("chgrp", "true")
    after = subprocess.run(
        ["sh", "-ec", f"cd /; umask 022\n{block}umask; pwd"],
        input="typed by a person",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert after == "0022\n/\n"
    made = {file.name: file for file in tmp_path.iterdir()}
    environment = (FILES / "environment").read_text()
    assert set(re.findall(r"/etc/pillarbox/secrets/(\w+)", environment)) == set(made)
    assert {file.stat().st_mode & 0o777 for file in made.values()} == {0o640}
    assert all(len(made[name].read_text()) > 32 for name in ("secret", "metrics_token"))


@needs("systemd-analyze")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    units = shutil.copytree(UNITS, tmp_path / "units")
    for unit in units.glob("*.service"):
        # The program is not installed here.
        unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", unit.read_text()))
    names = [str(unit).replace("@.", "@9464.") for unit in units.glob("pillarbox-*.*")]
    (units / "pillarbox-worker@9464.service").symlink_to("pillarbox-worker@.service")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(name for name in names if not name.endswith(".d"))],
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{units}:"},
        capture_output=True,
        text=True,
        check=False,
    )
    problems = [line for line in done.stderr.splitlines() if "pillarbox" in line]
    assert (problems, done.returncode) == ([], 0)


def sqlite(path: Path, statement: str) -> str:
    """What the program ``sqlite3`` prints."""
    command = ["sqlite3", str(path), statement]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A folder with a database and a file that is sold."""
    state = tmp_path / "state"
    (state / "files").mkdir(parents=True)
    (state / "files" / "first").write_text("1")
    database = state / "pillarbox.sqlite"
    sqlite(database, "PRAGMA journal_mode = WAL; CREATE TABLE t (n); INSERT INTO t VALUES (1)")
    sqlite(database, "CREATE TABLE alembic_version (version_num)")
    return state


@needs("sqlite3")
def test_the_backup_holds_the_database_and_what_was_ever_sold(tmp_path: Path, state: Path) -> None:
    target = tmp_path / "backups"
    target.mkdir()
    script = FILES / "pillarbox-backup"
    subprocess.run([script, state, target], check=True)
    sqlite(state / "pillarbox.sqlite", "INSERT INTO t VALUES (2)")
    (state / "files" / "first").unlink()
    (state / "files" / "second").write_text("2")
    subprocess.run([script, state, target], check=True)

    [day] = target.glob("day-*.sqlite")
    assert sqlite(day, "SELECT n FROM t ORDER BY n") == "1\n2\n"
    assert {path.name for path in (target / "files").iterdir()} == {"first", "second"}
    assert not (target / "part").exists()
    modes = {path.stat().st_mode & 0o077 for path in target.rglob("*")}
    assert modes == {0}


@needs("sqlite3")
@pytest.mark.parametrize("content", [None, b"", b"no database"], ids=["missing", "empty", "other"])
def test_no_backup_is_replaced_where_there_is_no_database(
    tmp_path: Path, state: Path, content: bytes | None
) -> None:
    target, script = tmp_path / "backups", FILES / "pillarbox-backup"
    subprocess.run([script, state, target], check=True)
    copies = {path: path.read_bytes() for path in target.glob("*.sqlite")}
    for file in state.glob("pillarbox.sqlite*"):
        file.unlink()
    database = state / "pillarbox.sqlite"
    if content is not None:
        database.write_bytes(content)
    done = subprocess.run([script, state, target], capture_output=True, text=True, check=False)
    assert (done.returncode, database.exists()) == (1, content is not None)
    assert f"cannot read a database of Pillarbox at {database}" in done.stderr
    assert {path: path.read_bytes() for path in target.glob("*.sqlite*")} == copies
