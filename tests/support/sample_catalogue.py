"""The sample shop's products as rows, for tests that need something to sell at once. Their
downloads are not there. Importing the sample shop itself takes longer.
"""

import tomllib
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.private_files import make_private_folder
from app.shop.models import File, Product, ProductText, Seller, TaxRate
from tests.support.texts import PROJECT

PICTURES = PROJECT / "app" / "static" / "shop"
STANDARD, REDUCED = 1900, 700
"""VAT rates in basis points, the same in each country. Books have the reduced rate."""


class SampleProduct(NamedTuple):
    """A product of the catalogue. ``price`` is in cents and includes VAT."""

    slug: str
    name: str
    price: int
    tax_class: str
    description: str
    format: str


def _catalogue() -> tuple[SampleProduct, ...]:
    file = PROJECT / "app" / "shop" / "sample" / "shop.toml"
    return tuple(
        SampleProduct(
            slug=product["slug"],
            name=product["name"]["en"],
            price=int(Decimal(product["price"]) * 100),
            tax_class=product["tax"],
            description=product["description"]["en"],
            format=product["format"]["en"],
        )
        for product in tomllib.loads(file.read_text("utf-8"))["product"]
    )


CATALOGUE = _catalogue()


def add_sample_catalogue(session: Session, files: Path | None = None) -> None:
    """Add the catalogue and an invented seller if there is no product yet. With ``files``, the
    shop's folder of files, the products have their pictures.
    """
    now = datetime.now(UTC)
    if session.scalar(select(Product.id).limit(1)) is not None:
        return
    session.add_all(
        TaxRate(tax_class=name, country="EU", starts_on=date(2020, 1, 1), rate=rate)
        for name, rate in (("standard", STANDARD), ("reduced", REDUCED))
    )
    for position, sample in enumerate(CATALOGUE):
        digest = sha256(sample.slug.encode()).hexdigest()
        session.add(File(sha256=digest, size=len(sample.slug), created_at=now))
        picture = _store_picture(session, files, sample.slug, now) if files else None
        session.flush()
        session.add(
            Product(
                slug=sample.slug,
                price=sample.price,
                tax_class=sample.tax_class,
                file_sha256=digest,
                file_name=f"{sample.slug}.pdf",
                picture_sha256=picture,
                picture_type="image/svg+xml" if picture else None,
                position=position,
                texts=[
                    ProductText(
                        locale="en",
                        position=0,
                        name=sample.name,
                        description=sample.description,
                        format=sample.format,
                    )
                ],
            )
        )
    if session.get(Seller, 1) is None:
        session.add(
            Seller(
                id=1,
                name="Pillarbox",
                address="Sample Street 1\n12345 Sampleton",
                country="DE",
                email="help@example.org",
                phone="",
                vat_id="XX123456789",
                register="",
                statement_name="PILLARBOX SAMPLE",
                currency="EUR",
                is_exempt=False,
                vat_sentence={},
                terms={"en": "These are the terms of an invented shop."},
            )
        )
    session.flush()


def _store_picture(session: Session, files: Path, slug: str, now: datetime) -> str:
    content = (PICTURES / f"{slug}.svg").read_bytes()
    digest = sha256(content).hexdigest()
    make_private_folder(files)
    (files / digest).write_bytes(content)
    session.add(File(sha256=digest, size=len(content), created_at=now))
    return digest
