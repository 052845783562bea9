"""Importing the shop's file: what changes, what stays, and which files lie on the disk."""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import delete, inspect, select
from webtest import TestApp

from app.database.engine import Database
from app.shop.models import File, Order, OrderLine, Product, Seller, TaxRate
from app.shop.shop_file import importing, stored
from app.shop.shop_file.importing import CannotImport, Imported, import_shop
from app.shop.shop_file.parse import parse
from tests.support.rows import count
from tests.support.shop_files import example, write_shop
from tests.support.shopping import buy, sign_in


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of the shop's file."""
    return tmp_path / "mine"


def imported(app: Router, folder: Path, text: str | None = None) -> Imported:
    return import_shop(app.registry, parse(write_shop(folder, text)))


def without_alphabet() -> str:
    return example().rpartition("[[product]]")[0]


def digest(octets: bytes) -> str:
    return sha256(octets).hexdigest()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_an_import_fills_an_empty_shop(
    app: Router, database: Database, folder: Path, sold: Path
) -> None:
    result = imported(app, folder)
    assert result.summary == ("2 products: 2 new. The seller changed. The rates of VAT changed.")
    with database.transaction(write=False) as session:
        seller = session.get_one(Seller, 1)
        assert (seller.currency, seller.statement_name) == ("EUR", "SLOW POST PRESS")
        assert list(seller.terms.items()) == [("en", "Be kind."), ("de", "Seien Sie nett.")]
        assert (
            session.scalars(
                select(TaxRate.rate).where(
                    TaxRate.country == "FI", TaxRate.starts_on == date(2024, 9, 1)
                )
            ).one()
            == 2550
        )
        letters, alphabet = session.scalars(select(Product).order_by(Product.position))
        assert (letters.slug, letters.price, letters.file_name, letters.picture_type) == (
            "letters-to-nobody",
            1600,
            "letters-to-nobody.pdf",
            "image/jpeg",
        )
        assert letters.text("de_AT").name == "Briefe an niemanden"
        assert alphabet.text("fr").name == "Alphabet"
        for file in session.scalars(select(File)):
            octets = (sold / file.sha256).read_bytes()
            assert (digest(octets), len(octets)) == (file.sha256, file.size)
        assert names(sold) == set(session.scalars(select(File.sha256)))


def test_the_folder_and_its_files_are_their_owners_alone(
    app: Router, folder: Path, sold: Path
) -> None:
    sold.mkdir(mode=0o755)
    imported(app, folder)
    for path in (sold, *sold.iterdir()):
        assert not path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)


def test_a_second_import_of_the_same_file_changes_nothing(
    app: Router, database: Database, folder: Path, sold: Path
) -> None:
    imported(app, folder)
    times = {path: path.stat().st_mtime_ns for path in sold.iterdir()}
    assert imported(app, folder).summary == "2 products: nothing changed."
    assert times == {path: path.stat().st_mtime_ns for path in sold.iterdir()}
    assert count(database, Product) == 2


def test_a_product_that_the_file_no_longer_has_is_no_longer_sold_and_can_come_back(
    app: Router, database: Database, folder: Path, browser: TestApp
) -> None:
    imported(app, folder)
    assert imported(app, folder, without_alphabet()).summary == "1 product: 1 no longer sold."
    assert "no longer available" in browser.get("/products/alphabet")
    assert count(database, Product) == 2
    assert imported(app, folder, without_alphabet()).summary == "1 product: nothing changed."
    assert imported(app, folder).summary == "2 products: 1 changed."
    assert "no longer available" not in browser.get("/products/alphabet")


@pytest.mark.parametrize(
    ("old", "new", "summary"),
    [
        ('"9.50"', '"9.60"', "2 products: 1 changed."),
        ("Twenty-six initials", "Initials", "2 products: 1 changed."),
        ('name = "Alphabet"', 'name.en = "Alphabet"', "2 products: 1 changed."),
        ('picture = "letters-to-nobody.jpg"', "", "2 products: 1 changed."),
        ("AT = 10", "", "2 products: none changed. The rates of VAT changed."),
        ("SLOW POST PRESS", "SLOW POST", "2 products: none changed. The seller changed."),
        (
            '{ en = "terms.en.txt", de = "terms.de.txt" }',
            '{ de = "terms.de.txt", en = "terms.en.txt" }',
            "2 products: none changed. The seller changed.",
        ),
    ],
)
def test_what_changed_is_said_and_written(
    app: Router, folder: Path, old: str, new: str, summary: str
) -> None:
    imported(app, folder)
    assert old in example()
    text = example().replace(old, new)
    assert imported(app, folder, text).summary == summary
    assert imported(app, folder, text).summary == "2 products: nothing changed."


def test_the_order_of_the_catalogue_is_that_of_the_file(
    app: Router, database: Database, folder: Path
) -> None:
    imported(app, folder)
    head, letters, alphabet = example().split("[[product]]")
    turned = "[[product]]".join([head, alphabet + "\n", letters])
    summary = "2 products: none changed. Their order in the catalogue changed."
    assert imported(app, folder, turned).summary == summary
    with database.transaction(write=False) as session:
        slugs = session.scalars(select(Product.slug).order_by(Product.position)).all()
    assert slugs == ["alphabet", "letters-to-nobody"]


def test_an_import_changes_no_order_and_keeps_the_file_that_an_order_needs(
    app: Router, database: Database, folder: Path, sold: Path, browser: TestApp
) -> None:
    imported(app, folder)
    sign_in(browser, database)
    buy(browser, "alphabet")
    with database.transaction(write=False) as session:
        before = everything([*session.scalars(select(Order)), *session.scalars(select(OrderLine))])

    write_shop(folder)
    (folder / "alphabet.zip").write_bytes(b"a new edition")
    text = example().replace('"9.50"', '"99.50"').replace("SLOW POST PRESS", "OTHER")
    write_new_edition(app, folder, text)

    with database.transaction(write=False) as session:
        after = everything([*session.scalars(select(Order)), *session.scalars(select(OrderLine))])
        [line] = session.scalars(select(OrderLine))
        assert line.file_sha256 == digest(b"PK letters")
        product = session.scalars(select(Product).where(Product.slug == "alphabet")).one()
        assert product.file_sha256 == digest(b"a new edition")
    assert before == after
    assert (sold / digest(b"PK letters")).read_bytes() == b"PK letters"


def write_new_edition(app: Router, folder: Path, text: str) -> None:
    """Import ``text`` without writing the example's files anew."""
    (folder / "shop.toml").write_text(text, encoding="utf-8")
    import_shop(app.registry, parse(folder / "shop.toml"))


def everything(rows: Iterable[object]) -> list[dict[str, object]]:
    """Every column of these rows."""
    return [
        {column.key: getattr(row, column.key) for column in inspect(row).mapper.column_attrs}
        for row in rows
    ]


def test_a_file_that_nobody_needs_is_deleted(
    app: Router, database: Database, folder: Path, sold: Path
) -> None:
    imported(app, folder)
    (sold / ".unfinished-killed").write_bytes(b"half of a file")
    (sold / digest(b"orphan")).write_bytes(b"orphan")
    (sold / "README").write_bytes(b"not ours")
    (folder / "alphabet.zip").write_bytes(b"a new edition")
    write_new_edition(app, folder, example())
    with database.transaction(write=False) as session:
        digests = set(session.scalars(select(File.sha256)))
    assert digests == {
        digest(octets) for octets in (b"%PDF forty letters", b"a picture", b"a new edition")
    }
    assert names(sold) == {*digests, "README"}


def test_a_file_that_is_missing_or_cut_off_on_the_disk_is_copied_again(
    app: Router, folder: Path, sold: Path
) -> None:
    imported(app, folder)
    (sold / digest(b"PK letters")).unlink()
    (sold / digest(b"a picture")).write_bytes(b"a pic")
    assert imported(app, folder).summary == "2 products: nothing changed."
    assert (sold / digest(b"PK letters")).read_bytes() == b"PK letters"
    assert (sold / digest(b"a picture")).read_bytes() == b"a picture"


def test_an_import_that_fails_changes_nothing(
    app: Router, database: Database, folder: Path, sold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported(app, folder)

    def fail(*_: object) -> bool:
        raise RuntimeError("the power fails")

    text = without_alphabet().replace('"16.00"', '"17.00"')
    shop = parse(write_shop(folder, text))
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_texts", fail)
        with pytest.raises(RuntimeError):
            import_shop(app.registry, shop)
    with database.transaction(write=False) as session:
        assert session.scalars(select(Product.price).order_by(Product.position)).all() == [
            1600,
            950,
        ]
    assert len(names(sold)) == 3


def test_a_file_that_goes_between_check_and_import_is_named(
    app: Router, database: Database, folder: Path, sold: Path
) -> None:
    shop = parse(write_shop(folder))
    (folder / "alphabet.zip").unlink()
    with pytest.raises(CannotImport, match=r"alphabet\.zip cannot be read .*No such file"):
        import_shop(app.registry, shop)
    assert count(database, Product) == 0


def test_a_copy_that_fails_leaves_no_half_of_a_file(
    app: Router, folder: Path, sold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CannotImport, match="No space left on device"):
        imported(app, folder)
    assert names(sold) == set()


def test_one_import_waits_for_another(
    app: Router, folder: Path, sold: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = []
    locked = stored.locked

    @contextmanager
    def watched(path: Path) -> Iterator[None]:
        with locked(path):
            inside.append(_is_locked(path))
            yield
        inside.append(_is_locked(path))

    monkeypatch.setattr(stored, "locked", watched)
    imported(app, folder)
    assert inside == [True, False]


def _is_locked(folder: Path) -> bool:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def test_each_file_is_reported_once(app: Router, folder: Path) -> None:
    said: list[str] = []
    import_shop(app.registry, parse(write_shop(folder)), said.append)
    assert said == [
        "file 1 of 3: letters-to-nobody.pdf",
        "file 2 of 3: letters-to-nobody.jpg",
        "file 3 of 3: alphabet.zip",
    ]


def test_a_shop_can_sell_nothing(app: Router, database: Database, folder: Path) -> None:
    imported(app, folder)
    text = example().partition("[[product]]")[0]
    assert imported(app, folder, text).summary == "0 products: 2 no longer sold."
    with database.transaction(write=True) as session:
        session.execute(delete(TaxRate))
    assert imported(app, folder, text).summary == (
        "0 products: none changed. The rates of VAT changed."
    )
