"""The texts that people read, gathered from templates and Python as `./run translate` gathers them.
Tests check catalogues against them and write catalogues of their own.
"""

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from babel.messages.catalog import Catalog
from babel.messages.frontend import CommandLineInterface
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).parents[2]
CATALOGUES = PROJECT / "app" / "i18n" / "locale"


@cache
def texts() -> Catalog:
    """Every text, without a translation."""
    with TemporaryDirectory() as folder:
        pot = Path(folder) / "texts.pot"
        mapping = f"--mapping-file={PROJECT / 'pyproject.toml'}"
        arguments = ["extract", mapping, f"--output={pot}", str(PROJECT)]
        CommandLineInterface().run(["pybabel", "--quiet", *arguments])
        with pot.open("rb") as file:
            return read_po(file)


def forms(words: str | tuple[str, ...] | list[str]) -> list[str]:
    """A text or translation as the list of its singular and plurals."""
    return [words] if isinstance(words, str) else [*words]


def write_catalogue(folder: Path, language: str, catalogue: Catalog) -> None:
    """Put ``catalogue`` where ``app.i18n.languages`` looks for it."""
    path = folder / language / "LC_MESSAGES" / "pillarbox.po"
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        write_po(file, catalogue)
