"""The sample shop, so that a new shop has something to sell: the shop's file, and the sources of
its downloads, which typst makes into PDF files.
"""

import shutil
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import typst
from pyramid.registry import Registry
from sqlalchemy import select

from app.shop.models import Product
from app.shop.shop_file.importing import import_shop
from app.shop.shop_file.parse import parse

FOLDER = Path(__file__).parent
PICTURES = FOLDER.parents[1] / "static" / "shop"
WRITTEN_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""The date inside the downloads. With a fixed one each shop makes the same octets."""


def add_sample_shop(registry: Registry) -> int:
    """Import the sample shop if there is no product yet.

    Returns the number of products added. Raises ``CannotImport``.
    """
    with registry.database.transaction(write=False) as session:
        if session.scalar(select(Product.id).limit(1)) is not None:
            return 0
    with tempfile.TemporaryDirectory() as folder:
        return import_shop(registry, parse(make_sample_shop(Path(folder)))).new


def make_sample_shop(folder: Path) -> Path:
    """Write the shop's file, its pictures and its downloads into ``folder``, and return the path of
    the file. The package's own folder may be read-only.
    """
    # The file names the pictures where they lie in the package.
    shutil.copytree(PICTURES, folder / "static" / "shop")
    sample = folder / "shop" / "sample"
    shutil.copytree(FOLDER, sample, ignore=shutil.ignore_patterns("*.py", "__pycache__", "*.typ"))
    make_downloads(sample / "files")
    return sample / "shop.toml"


def make_downloads(folder: Path) -> None:
    """Make the PDF files. The fonts of the machine are not used, so all machines make the same."""
    folder.mkdir(parents=True)
    compiler = typst.Compiler(root=FOLDER, ignore_system_fonts=True)
    for source in sorted(FOLDER.glob("*.typ")):
        if source.name == "style.typ":
            continue
        output = folder / f"{source.stem}.pdf"
        compiler.compile(source, output=output, format="pdf", timestamp=WRITTEN_AT)
