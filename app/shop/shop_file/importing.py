"""Puts the shop's file into the database, in one transaction. Changes no order.

The files come first: a product that is on sale has its file on the disk. What the import no longer
needs is deleted last, after the commit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pyramid.registry import Registry
from sqlalchemy import delete, exists, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.shop.models import File, OrderLine, Product, ProductText, Seller, TaxRate
from app.shop.shop_file import stored
from app.shop.shop_file.content import ProductEntry, RateEntry, ShopFile
from app.shop.shop_file.stored import StoredFile

Stored = dict[Path, StoredFile]


class CannotImport(Exception):
    """A file cannot be copied. The database is as it was."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import changed."""

    products: int
    """How many are on sale."""
    new: int
    changed: int
    gone: int
    """How many are no longer sold."""
    is_reordered: bool
    seller_changed: bool
    rates_changed: bool

    @property
    def summary(self) -> str:
        """What changed, for a terminal."""
        counted = [
            f"{count} {what}"
            for count, what in (
                (self.new, "new"),
                (self.changed, "changed"),
                (self.gone, "no longer sold"),
            )
            if count
        ]
        others = [
            what
            for is_so, what in (
                (self.is_reordered, "Their order in the catalogue changed."),
                (self.seller_changed, "The seller changed."),
                (self.rates_changed, "The rates of VAT changed."),
            )
            if is_so
        ]
        products = f"{self.products} product{'' if self.products == 1 else 's'}"
        if not counted:
            return " ".join([f"{products}: {'none' if others else 'nothing'} changed.", *others])
        return " ".join([f"{products}: {', '.join(counted)}.", *others])


def import_shop(
    registry: Registry, shop: ShopFile, report: Callable[[str], None] = lambda _: None
) -> Imported:
    """Make the database's shop the one that ``shop`` describes. ``report`` is told of each file.

    Raises ``CannotImport``.
    """
    folder: Path = registry.pillarbox.shop.files
    database: Database = registry.database
    try:
        with stored.locked(folder):
            files = _store_files(folder, shop, report)
            with database.transaction(write=True) as session:
                imported = _write(session, shop, files, registry.clock())
            _delete_unneeded(database, folder)
    except OSError as error:
        raise CannotImport(
            f"{error.filename or folder} cannot be read or written: {error.strerror}. Nothing was"
            " imported. Correct it, and import again."
        ) from error
    return imported


def _store_files(folder: Path, shop: ShopFile, report: Callable[[str], None]) -> Stored:
    paths = dict.fromkeys(
        path for product in shop.products for path in (product.file, product.picture) if path
    )
    files = {}
    for number, path in enumerate(paths, 1):
        report(f"file {number} of {len(paths)}: {path.name}")
        files[path] = stored.store(folder, path)
    return files


def _write(session: Session, shop: ShopFile, files: Stored, now: datetime) -> Imported:
    known = set(session.scalars(select(File.sha256)))
    for file in {file.sha256: file for file in files.values()}.values():
        if file.sha256 not in known:
            session.add(File(sha256=file.sha256, size=file.size, created_at=now))
    session.flush()
    seller_changed = _write_seller(session, shop)
    rates_changed = _write_rates(session, shop.rates)

    products = {product.slug: product for product in session.scalars(select(Product))}
    new = changed = 0
    is_reordered = False
    for position, entry in enumerate(shop.products):
        product = products.pop(entry.slug, None)
        if product is None:
            product = Product(slug=entry.slug, position=position)
            session.add(product)
            _update(product, _columns(entry, files))
            product.texts = _texts(entry)
            new += 1
            continue
        # A product that another one came before has another position, and is the same product.
        is_changed = _update(product, _columns(entry, files))
        if [_key(text) for text in product.texts] != [_key(text) for text in _texts(entry)]:
            product.texts = _texts(entry)
            is_changed = True
        changed += is_changed
        is_reordered |= _update(product, {"position": position})
    gone = [product for product in products.values() if product.is_available]
    for product in gone:
        product.is_available = False
    session.flush()
    return Imported(
        products=len(shop.products),
        new=new,
        changed=changed,
        gone=len(gone),
        is_reordered=is_reordered and not new and not gone,
        seller_changed=seller_changed,
        rates_changed=rates_changed,
    )


def _write_seller(session: Session, shop: ShopFile) -> bool:
    entry = shop.seller
    values = {
        "name": entry.name,
        "address": entry.address,
        "country": entry.country,
        "email": entry.email,
        "phone": entry.phone,
        "vat_id": entry.vat_id,
        "register": entry.register,
        "statement_name": entry.statement_name,
        "currency": shop.currency,
        "is_exempt": entry.is_exempt,
    }
    # The first language is the one for all other readers, so the order of the languages counts.
    ordered = {"vat_sentence": dict(entry.vat_sentence), "terms": dict(entry.terms)}
    seller = session.get(Seller, 1)
    if seller is None:
        session.add(Seller(id=1, **values, **ordered))
        return True
    is_changed = _update(seller, values)
    for name, texts in ordered.items():
        if list(getattr(seller, name).items()) != list(texts.items()):
            # SQLAlchemy takes a dict with another order for the same value.
            setattr(seller, name, {})
            session.flush()
            setattr(seller, name, texts)
            is_changed = True
    return is_changed


def _write_rates(session: Session, rates: tuple[RateEntry, ...]) -> bool:
    old = {
        RateEntry(row.tax_class, row.country, row.starts_on, row.rate)
        for row in session.scalars(select(TaxRate))
    }
    if old == set(rates):
        return False
    session.execute(delete(TaxRate))
    session.add_all(
        TaxRate(
            tax_class=rate.tax_class,
            country=rate.country,
            starts_on=rate.starts_on,
            rate=rate.rate,
        )
        for rate in rates
    )
    return True


def _columns(entry: ProductEntry, files: Stored) -> dict[str, Any]:
    return {
        "price": entry.price,
        "tax_class": entry.tax_class,
        "file_sha256": files[entry.file].sha256,
        "file_name": entry.file.name,
        "picture_sha256": files[entry.picture].sha256 if entry.picture else None,
        "picture_type": entry.picture_type,
        "is_available": True,
    }


def _texts(entry: ProductEntry) -> list[ProductText]:
    return [
        ProductText(
            locale=text.locale,
            position=position,
            name=text.name,
            description=text.description,
            format=text.format,
        )
        for position, text in enumerate(entry.texts)
    ]


def _key(text: ProductText) -> tuple[str, str, str, str]:
    return text.locale, text.name, text.description, text.format


def _update(row: Any, values: dict[str, Any]) -> bool:
    """Set the columns of a row that differ. Whether one did."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return bool(different)


def _delete_unneeded(database: Database, folder: Path) -> None:
    """Delete the files that no product and no line of an order needs, first their rows."""
    is_needed = or_(
        exists().where(
            or_(Product.file_sha256 == File.sha256, Product.picture_sha256 == File.sha256)
        ),
        exists().where(OrderLine.file_sha256 == File.sha256),
    )
    with database.transaction(write=False) as session:
        unneeded = session.scalars(select(File.sha256).where(~is_needed)).all()
    for digest in unneeded:
        try:
            with database.transaction(write=True) as session:
                session.execute(delete(File).where(File.sha256 == digest, ~is_needed))
        except IntegrityError:
            # An order came in the meantime, and needs it.
            continue
    with database.transaction(write=False) as session:
        needed = set(session.scalars(select(File.sha256)))
    stored.delete_others(folder, needed)
