"""``pillarbox migrate``, and the migration at the start of ``serve``. A database that cannot be
reached, or that another version made, is reported with the cure.
"""

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import inspect

from app.database.engine import Database
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.pillarbox_command import Pillarbox
from tests.support.shop_settings import write_ini

NOWHERE = "postgresql://nobody@127.0.0.1:1/nowhere"


def test_it_makes_the_tables_and_a_second_time_nothing(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    for _ in range(2):
        assert pillarbox("migrate", ini).stdout == "The database is up to date.\n"
    outbox.write(1)


@on_sqlite
def test_it_makes_the_file_and_its_folder(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str]
) -> None:
    path = tmp_path / "a folder" / "shop.sqlite"
    values = sending_values | {"database.url": f"sqlite:///{path}"}
    pillarbox("migrate", write_ini(tmp_path / "new.ini", values))
    database = Database(values["database.url"])
    assert inspect(database.engine).has_table("outbox_email")
    database.dispose()


@pytest.mark.parametrize("command", ["migrate", "serve", "adopt"])
def test_a_database_that_cannot_be_reached_is_two_lines(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], command: str
) -> None:
    ini = write_ini(tmp_path / "away.ini", sending_values | {"database.url": NOWHERE})
    lines = pillarbox(command, ini, code=1).output.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith("Error: The database cannot be used: ")
    assert lines[1] == "Check that it runs, and database.url."


@on_sqlite
@pytest.mark.parametrize("command", ["migrate", "serve", "deliver"])
def test_a_file_that_is_no_database_is_reported_and_left_alone(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], command: str
) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("Not a database at all, but somebody's notes.\n" * 100)
    before = file.read_bytes()
    ini = write_ini(tmp_path / "text.ini", sending_values | {"database.url": f"sqlite:///{file}"})
    assert "file is not a database" in pillarbox(command, ini, code=1).output
    assert file.read_bytes() == before


@on_sqlite
@pytest.mark.parametrize("command", ["migrate", "serve"])
def test_a_folder_that_cannot_be_made_is_named(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], command: str
) -> None:
    (tmp_path / "file").touch()
    values = sending_values | {"database.url": f"sqlite:///{tmp_path}/file/shop.sqlite"}
    output = pillarbox(command, write_ini(tmp_path / "bad.ini", values), code=1).output
    assert f"{tmp_path}/file" in output
    assert "Correct database.url." in output


@on_sqlite
@pytest.mark.parametrize("command", ["deliver", "adopt", "emails"])
def test_what_needs_a_database_makes_no_empty_one(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], command: str
) -> None:
    path = tmp_path / "mistyped.sqlite"
    ini = write_ini(tmp_path / "typo.ini", sending_values | {"database.url": f"sqlite:///{path}"})
    more = ["list"] if command == "emails" else []
    assert f"pillarbox migrate {ini}" in pillarbox(command, ini, *more, code=1).output
    assert not path.exists()


@pytest.mark.parametrize("command", ["migrate", "serve", "deliver", "adopt"])
def test_the_tables_of_a_version_that_this_one_does_not_know_are_reported(
    pillarbox: Pillarbox, ini: Path, outbox: Outbox, command: str
) -> None:
    with outbox.registry.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0999'")
    output = pillarbox(command, ini, code=1).output
    assert "the revision 0999, which this one does not know" in output
    assert "Install that version, or a later one." in output


@pytest.mark.parametrize("command", ["adopt", "deliver"])
def test_a_database_without_tables_is_reported_with_what_to_run(
    pillarbox: Pillarbox, ini: Path, command: str, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    assert f"Run: pillarbox migrate {ini}" in pillarbox(command, ini, code=1).output


def test_a_test_email_needs_the_tables_too(
    pillarbox: Pillarbox, ini: Path, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    output = pillarbox("send-test", ini, "ada@example.org", code=1).output
    assert f"Run: pillarbox migrate {ini}" in output
