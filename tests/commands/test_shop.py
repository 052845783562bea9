"""``pillarbox shop``: check, import and export the shop's file."""

from pathlib import Path

import pytest
from pyramid.router import Router

from app.database.engine import Database
from app.shop.models import Product
from tests.support.pillarbox_command import Pillarbox
from tests.support.rows import count
from tests.support.shop_files import example, write_shop


@pytest.fixture
def sold(tmp_path: Path) -> Path:
    """The folder ``shop.files``."""
    return tmp_path / "sold"


@pytest.fixture
def settings_values(settings_values: dict[str, str], sold: Path) -> dict[str, str]:
    return settings_values | {"shop.files": str(sold)}


@pytest.fixture
def app(sending_app: Router) -> Router:
    """The application of the .ini file."""
    return sending_app


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_shop(tmp_path / "mine")


def test_check_says_that_the_file_is_right_and_changes_nothing(
    pillarbox: Pillarbox, ini: Path, file: Path, database: Database, sold: Path
) -> None:
    output = pillarbox("shop", ini, "check", file).output
    assert output == f"{file} is right: 2 products in EUR. Next: import it.\n"
    assert count(database, Product) == 0
    assert not sold.exists()


@pytest.mark.parametrize("act", ["check", "import"])
def test_every_problem_is_printed_and_nothing_is_imported(
    pillarbox: Pillarbox, ini: Path, file: Path, database: Database, sold: Path, act: str
) -> None:
    write_shop(file.parent, example().replace('"EUR"', '"eur"').replace('"9.50"', "9.50"))
    output = pillarbox("shop", ini, act, file, code=1).output
    assert f"{file} has 2 problems:\n  line 1: currency is 'eur'" in output
    assert "price is '9.50' without quotes" in output
    assert count(database, Product) == 0
    assert not sold.exists()


def test_an_import_says_what_changed_and_can_be_repeated(
    pillarbox: Pillarbox, ini: Path, file: Path, database: Database, sold: Path
) -> None:
    assert pillarbox("shop", ini, "import", file).output.startswith("2 products: 2 new.")
    assert count(database, Product) == 2
    assert len(list(sold.iterdir())) == 3
    assert pillarbox("shop", ini, "import", file).output == "2 products: nothing changed.\n"


def test_an_import_into_a_folder_that_cannot_be_made_says_so(
    pillarbox: Pillarbox, ini: Path, file: Path, sold: Path, database: Database
) -> None:
    sold.write_text("a file in the folder's place")
    output = pillarbox("shop", ini, "import", file, code=1).output
    assert f"{sold} cannot be read or written: File exists. Nothing was imported." in output
    assert count(database, Product) == 0


def test_an_export_is_right_and_importing_it_changes_nothing(
    pillarbox: Pillarbox, ini: Path, file: Path, tmp_path: Path, database: Database
) -> None:
    pillarbox("shop", ini, "import", file)
    copy = tmp_path / "copy.toml"
    output = pillarbox("shop", ini, "export", copy).output
    assert output == f"2 products written to {copy}, their files to {tmp_path / 'copy'}.\n"
    pillarbox("shop", ini, "check", copy)
    assert pillarbox("shop", ini, "import", copy).output == "2 products: nothing changed.\n"
    assert "exists already" in pillarbox("shop", ini, "export", copy, code=1).output


def test_a_file_that_is_not_there_is_a_wrong_argument(
    pillarbox: Pillarbox, ini: Path, tmp_path: Path
) -> None:
    assert "does not exist" in pillarbox("shop", ini, "check", tmp_path / "no.toml", code=2).output
