"""Shops' files for tests, made from the example in docs/shop.md."""

from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs" / "shop.md"


def example() -> str:
    """The example of the documentation."""
    return DOCS.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]


def write_shop(folder: Path, text: str | None = None) -> Path:
    """Write a shop's file, the example by default, with the files that the example names."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "terms.en.txt").write_text("Be kind.\n", encoding="utf-8")
    (folder / "terms.de.txt").write_text("Seien Sie nett.\n", encoding="utf-8")
    (folder / "letters-to-nobody.pdf").write_bytes(b"%PDF forty letters")
    (folder / "letters-to-nobody.jpg").write_bytes(b"a picture")
    (folder / "alphabet.zip").write_bytes(b"PK letters")
    path = folder / "shop.toml"
    path.write_text(example() if text is None else text, encoding="utf-8")
    return path
