"""What was imported is exported, and importing that changes nothing."""

from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path
from shutil import rmtree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyramid.router import Router

from app.shop.currencies import LEAST_CHARGE, MOST_CHARGE
from app.shop.shop_file.content import (
    NO_LANGUAGE,
    PICTURE_TYPES,
    ProductEntry,
    ProductTexts,
    RateEntry,
    SellerEntry,
    ShopFile,
    Texts,
)
from app.shop.shop_file.exporting import CannotExport, export_shop
from app.shop.shop_file.importing import import_shop
from app.shop.shop_file.parse import parse
from tests.support.shop_files import write_shop

# A byte order mark at the beginning of a text file is no part of its text.
LINE = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\ufeff")
LINES = LINE | st.sampled_from("\n\t\"\\'#")
LOCALES = st.just([NO_LANGUAGE]) | st.lists(
    st.sampled_from(["en", "de", "pt_BR", "zh_Hans", "fr"]), min_size=1, unique=True
)
CLASSES = ["standard", "books-2", "a_b"]


def text(most: int, characters: st.SearchStrategy[str] = LINE) -> st.SearchStrategy[str]:
    """What is left of a text when it is read: no space at its ends."""
    return st.text(characters, min_size=1, max_size=most).map(str.strip).filter(bool)


def optional(most: int) -> st.SearchStrategy[str]:
    return st.just("") | text(most)


def in_languages(most: int, characters: st.SearchStrategy[str] = LINE) -> st.SearchStrategy[Texts]:
    return LOCALES.flatmap(
        lambda locales: st.tuples(
            *(st.tuples(st.just(locale), text(most, characters)) for locale in locales)
        )
    )


def product_texts() -> st.SearchStrategy[tuple[ProductTexts, ...]]:
    return LOCALES.flatmap(
        lambda locales: st.tuples(
            *(
                st.builds(
                    ProductTexts,
                    locale=st.just(locale),
                    name=text(120),
                    description=text(200, LINES),
                    format=text(120),
                )
                for locale in locales
            )
        )
    )


FILES = st.tuples(
    text(60, st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="/"))
    .filter(lambda name: name not in (".", ".."))
    .filter(lambda name: len(name.encode()) < 200),
    st.binary(min_size=1, max_size=9),
)
PRODUCTS = st.lists(
    st.tuples(
        st.builds(
            ProductEntry,
            slug=st.text("abc0-", min_size=1, max_size=4),
            price=st.integers(0, MOST_CHARGE),
            tax_class=st.sampled_from(CLASSES),
            file=st.just(Path()),
            picture=st.none(),
            texts=product_texts(),
        ),
        FILES,
        st.none() | st.tuples(st.sampled_from(list(PICTURE_TYPES)), st.binary(min_size=1)),
    ),
    max_size=4,
    unique_by=lambda made: made[0].slug,
)
RATES = st.lists(
    st.builds(
        RateEntry,
        tax_class=st.sampled_from(CLASSES),
        country=st.sampled_from(["EU", "DE", "CH", "GB"]),
        starts_on=st.dates(date(1970, 1, 1), date(2100, 1, 1)) | st.just(date(1970, 1, 1)),
        rate=st.integers(0, 10_000),
    ),
    max_size=6,
    unique_by=lambda rate: (rate.tax_class, rate.country, rate.starts_on),
)


@st.composite
def sellers(draw: st.DrawFn) -> SellerEntry:
    is_exempt = draw(st.booleans())
    return SellerEntry(
        name=draw(text(200)),
        address=draw(text(100, LINES)),
        country=draw(st.sampled_from(["DE", "GR", "JP"])),
        email="help@example.org",
        phone=draw(optional(40)),
        vat_id=draw(optional(20) if is_exempt else text(20)),
        register=draw(optional(200)),
        statement_name=draw(st.text("Ab1", min_size=4, max_size=21).map("S".__add__)),
        is_exempt=is_exempt,
        vat_sentence=draw(in_languages(100)) if is_exempt else (),
        terms=draw(in_languages(200, LINES)),
    )


@st.composite
def shops(draw: st.DrawFn) -> tuple[ShopFile, list[tuple[Path, bytes]]]:
    """A shop, and the content of its files. Their paths begin at a folder that is not there yet."""
    rates = [*draw(RATES)]
    have = {rate.tax_class for rate in rates}
    rates += [RateEntry(name, "FI", date(1970, 1, 1), 0) for name in CLASSES if name not in have]
    products, contents = [], []
    for number, (product, (name, octets), picture) in enumerate(draw(PRODUCTS)):
        file, shown = Path(str(number), "file", name), None
        contents.append((file, octets))
        if picture:
            shown = Path(str(number), f"picture{picture[0]}")
            contents.append((shown, picture[1] or b"-"))
        products.append(replace(product, file=file, picture=shown))
    currency = draw(st.sampled_from(list(LEAST_CHARGE)))
    return ShopFile(currency, draw(sellers()), tuple(sorted(rates)), tuple(products)), contents


def what_it_says(shop: ShopFile) -> tuple[object, ...]:
    """The shop with the content of its files in the place of their paths."""
    products = [
        (
            *(product.slug, product.price, product.tax_class, product.texts, product.picture_type),
            *(product.file.name, product.file.read_bytes()),
            product.picture and product.picture.read_bytes(),
        )
        for product in shop.products
    ]
    return shop.currency, shop.seller, shop.rates, products


NUMBERS = count()


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(made=shops())
def test_what_was_imported_is_exported_and_importing_that_changes_nothing(
    app: Router, tmp_path: Path, made: tuple[ShopFile, list[tuple[Path, bytes]]]
) -> None:
    folder = tmp_path / f"shop-{next(NUMBERS)}"
    shop, contents = made
    for path, octets in contents:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(octets)
    shop = replace(
        shop,
        products=tuple(
            replace(
                product,
                file=folder / product.file,
                picture=folder / product.picture if product.picture else None,
            )
            for product in shop.products
        ),
    )
    import_shop(app.registry, shop)
    exported = folder / "export.toml"
    folder.mkdir(exist_ok=True)
    export_shop(app.registry, exported)
    read = parse(exported)
    assert what_it_says(read) == what_it_says(shop)
    assert import_shop(app.registry, read).summary.endswith(": nothing changed.")
    rmtree(folder)


def test_the_example_of_the_documentation_comes_back(app: Router, tmp_path: Path) -> None:
    shop = parse(write_shop(tmp_path / "mine"))
    import_shop(app.registry, shop)
    assert export_shop(app.registry, tmp_path / "copy.toml") == 2
    assert what_it_says(parse(tmp_path / "copy.toml")) == what_it_says(shop)
    assert (tmp_path / "copy" / "files" / "alphabet" / "alphabet.zip").is_file()
    assert (tmp_path / "copy" / "pictures" / "letters-to-nobody.jpg").is_file()
    assert (tmp_path / "copy" / "terms.de.txt").read_text() == "Seien Sie nett.\n"


def test_nothing_is_written_over(app: Router, tmp_path: Path) -> None:
    path = write_shop(tmp_path / "mine")
    import_shop(app.registry, parse(path))
    with pytest.raises(CannotExport, match=r"shop\.toml exists already"):
        export_shop(app.registry, path)
    (tmp_path / "copy").mkdir()
    with pytest.raises(CannotExport, match="copy exists already"):
        export_shop(app.registry, tmp_path / "copy.toml")
    with pytest.raises(CannotExport, match=r"does not end in \.toml"):
        export_shop(app.registry, tmp_path / "shop")


def test_an_empty_database_has_nothing_to_export(app: Router, tmp_path: Path) -> None:
    with pytest.raises(CannotExport, match="no shop in the database"):
        export_shop(app.registry, tmp_path / "copy.toml")


def test_an_export_that_fails_leaves_nothing_behind(
    app: Router, tmp_path: Path, sold: Path
) -> None:
    import_shop(app.registry, parse(write_shop(tmp_path / "mine")))
    for path in sold.iterdir():
        path.unlink()
    before = set(tmp_path.iterdir())
    with pytest.raises(CannotExport, match="No such file"):
        export_shop(app.registry, tmp_path / "copy.toml")
    assert set(tmp_path.iterdir()) == before
