"""Writes the shop of the database as a shop's file, with everything that it names in a folder
beside it. Importing the result changes nothing.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from pathlib import Path

from babel.numbers import get_currency_precision
from pyramid.registry import Registry
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.private_files import make_private_folder
from app.shop.models import Product, Seller, TaxRate
from app.shop.shop_file.content import (
    ALWAYS,
    NO_LANGUAGE,
    PICTURE_TYPES,
    ProductEntry,
    ProductTexts,
    RateEntry,
    SellerEntry,
    ShopFile,
    Texts,
)

_ENDS = {kind: end for end, kind in PICTURE_TYPES.items()}


class CannotExport(Exception):
    """The shop cannot be written to this file. Nothing was left behind."""


def export_shop(
    registry: Registry, path: Path, report: Callable[[str], None] = lambda _: None
) -> int:
    """Write the shop to the new file ``path``, which ends in ``.toml``. Returns the number of its
    products. ``report`` is told of each product's file.

    Raises ``CannotExport``.
    """
    folder = path.with_suffix("")
    if path.suffix != ".toml":
        raise CannotExport(f"{path} does not end in .toml. Give it such a name.")
    for taken in (path, folder):
        if taken.exists():
            raise CannotExport(f"{taken} exists already. Choose another name.")
    with registry.database.transaction(write=False) as session:
        seller = session.get(Seller, 1)
        if seller is None:
            raise CannotExport("There is no shop in the database yet. Import one first.")
        products = session.scalars(
            select(Product).where(Product.is_available).order_by(Product.position, Product.id)
        ).all()
        shop = _shop(session, seller, products, folder)
    source: Path = registry.pillarbox.shop.files
    try:
        make_private_folder(folder)
        for number, (product, entry) in enumerate(zip(products, shop.products, strict=True), 1):
            report(f"file {number} of {len(products)}: {entry.file.name}")
            _copy(source / product.file_sha256, entry.file)
            if entry.picture and product.picture_sha256:
                _copy(source / product.picture_sha256, entry.picture)
        for locale, text in shop.seller.terms:
            (folder / _terms_name(locale)).write_text(text + "\n", encoding="utf-8", newline="\n")
        path.write_text(to_toml(shop, path), encoding="utf-8", newline="\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        path.unlink(missing_ok=True)
        raise CannotExport(
            f"{error.filename or path} cannot be read or written: {error.strerror}."
        ) from error
    return len(products)


def to_toml(shop: ShopFile, path: Path) -> str:
    """The text of the shop's file ``path``. The files of its products lie beside it, and its terms
    in its folder.
    """
    return "\n".join(_lines(shop, path)) + "\n"


def _lines(shop: ShopFile, path: Path) -> Iterator[str]:
    seller = shop.seller
    folder = path.with_suffix("").name
    yield f"currency = {_string(shop.currency)}"
    yield "\n[seller]"
    yield f"name = {_string(seller.name)}"
    yield f"address = {_string(seller.address)}"
    yield f"country = {_string(seller.country)}"
    yield f"email = {_string(seller.email)}"
    for key, value in (
        ("phone", seller.phone),
        ("vat_id", seller.vat_id),
        ("register", seller.register),
    ):
        if value:
            yield f"{key} = {_string(value)}"
    yield f"statement_name = {_string(seller.statement_name)}"
    yield from _texts(
        "terms", tuple((locale, f"{folder}/{_terms_name(locale)}") for locale, _ in seller.terms)
    )
    yield f"vat = {_string('exempt' if seller.is_exempt else 'charged')}"
    yield from _texts("vat_sentence", seller.vat_sentence)
    for tax_class, of_class in groupby(shop.rates, lambda rate: rate.tax_class):
        yield f"\n[tax.{tax_class}]"
        for country, rates in groupby(of_class, lambda rate: rate.country):
            yield f"{country} = {_rates(list(rates))}"
    currency_places = get_currency_precision(shop.currency)
    for product in shop.products:
        yield "\n[[product]]"
        yield f"slug = {_string(product.slug)}"
        yield f"price = {_string(str(Decimal(product.price).scaleb(-currency_places)))}"
        yield f"tax = {_string(product.tax_class)}"
        yield f"file = {_string(product.file.relative_to(path.parent).as_posix())}"
        if product.picture:
            yield f"picture = {_string(product.picture.relative_to(path.parent).as_posix())}"
        for key in ("name", "format", "description"):
            texts = tuple((text.locale, getattr(text, key)) for text in product.texts)
            yield from _texts(key, texts)


def _texts(key: str, texts: Texts) -> Iterator[str]:
    for locale, text in texts:
        yield f"{key if locale == NO_LANGUAGE else f'{key}.{locale}'} = {_string(text)}"


def _rates(rates: list[RateEntry]) -> str:
    if len(rates) == 1 and rates[0].starts_on == ALWAYS:
        return _percent(rates[0].rate)
    tables = (
        f"{{ rate = {_percent(rate.rate)}, from = {rate.starts_on.isoformat()} }}" for rate in rates
    )
    return f"[{', '.join(tables)}]"


def _percent(basis_points: int) -> str:
    return f"{Decimal(basis_points) / 100:f}"


def _string(text: str) -> str:
    """A string of TOML 1.0. A text of several lines is written in several lines."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"""\n{escaped}"""' if "\n" in text else f'"{escaped}"'


def _terms_name(locale: str) -> str:
    return "terms.txt" if locale == NO_LANGUAGE else f"terms.{locale}.txt"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def _shop(session: Session, seller: Seller, products: Sequence[Product], folder: Path) -> ShopFile:
    rates = tuple(
        sorted(
            RateEntry(row.tax_class, row.country, row.starts_on, row.rate)
            for row in session.scalars(select(TaxRate))
        )
    )
    return ShopFile(
        currency=seller.currency,
        seller=SellerEntry(
            name=seller.name,
            address=seller.address,
            country=seller.country,
            email=seller.email,
            phone=seller.phone,
            vat_id=seller.vat_id,
            register=seller.register,
            statement_name=seller.statement_name,
            is_exempt=seller.is_exempt,
            vat_sentence=tuple(seller.vat_sentence.items()),
            terms=tuple(seller.terms.items()),
        ),
        rates=rates,
        products=tuple(_product(product, folder) for product in products),
    )


def _product(product: Product, folder: Path) -> ProductEntry:
    # Two products may have files of the same name.
    picture = None
    if product.picture_type:
        picture = folder / "pictures" / f"{product.slug}{_ENDS[product.picture_type]}"
    return ProductEntry(
        slug=product.slug,
        price=product.price,
        tax_class=product.tax_class,
        file=folder / "files" / product.slug / product.file_name,
        picture=picture,
        texts=tuple(
            ProductTexts(text.locale, text.name, text.description, text.format)
            for text in product.texts
        ),
    )
