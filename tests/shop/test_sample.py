"""The sample shop: the repository makes its downloads, and imports them into an empty shop."""

from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from pyramid.router import Router
from sqlalchemy import delete, select
from webtest import TestApp

from app.database.engine import Database
from app.shop.models import File, Product, ProductText, Seller
from app.shop.sample import add_sample_shop, make_downloads, make_sample_shop
from app.shop.shop_file.parse import parse
from app.shop.tax import EU_MEMBERS, rates_of
from tests.support.sample_catalogue import CATALOGUE


def test_the_downloads_are_the_same_octets_each_time(tmp_path: Path) -> None:
    for folder in ("first", "second"):
        make_downloads(tmp_path / folder)

    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / folder).iterdir()}
        for folder in ("first", "second")
    )

    assert first == second
    assert sorted(first) == sorted(f"{sample.slug}.pdf" for sample in CATALOGUE)
    for name, content in first.items():
        assert content.startswith(b"%PDF-"), name
        assert content.rstrip().endswith(b"%%EOF"), name
        assert 10_000 < len(content) < 100_000, name


def test_each_download_has_the_pages_that_its_product_promises(tmp_path: Path) -> None:
    for product in parse(make_sample_shop(tmp_path)).products:
        pages = product.file.read_bytes().count(b"/Type/Page/")
        pages = pages or product.file.read_bytes().count(b"/Type /Page\n")
        english, german = product.texts
        assert f"{pages} page" in english.format, product.slug
        assert f"{pages} Seite" in german.format, product.slug


def test_an_empty_shop_gets_the_sample_once(app: Router, database: Database) -> None:
    assert add_sample_shop(app.registry) == len(CATALOGUE)
    assert add_sample_shop(app.registry) == 0

    folder = app.registry.pillarbox.shop.files
    with database.transaction(write=False) as session:
        slugs = session.scalars(select(Product.slug).order_by(Product.position)).all()
        assert slugs == [sample.slug for sample in CATALOGUE]
        for file in session.scalars(select(File)):
            content = (folder / file.sha256).read_bytes()
            assert sha256(content).hexdigest() == file.sha256
            assert len(content) == file.size


def test_the_owners_own_products_keep_the_sample_away(app: Router, database: Database) -> None:
    add_sample_shop(app.registry)
    with database.transaction(write=True) as session:
        moon = session.scalars(select(Product).limit(1)).one()
        others = select(Product.id).where(Product.id != moon.id)
        session.execute(delete(ProductText).where(ProductText.product_id.in_(others)))
        session.execute(delete(Product).where(Product.id != moon.id))

    assert add_sample_shop(app.registry) == 0


def test_the_sample_is_sold_in_the_whole_union(app: Router, database: Database) -> None:
    add_sample_shop(app.registry)

    with database.transaction(write=False) as session:
        seller = session.get_one(Seller, 1)
        rates = rates_of(session, seller, datetime(2026, 6, 1, tzinfo=UTC).date())
    assert set(rates.countries(["standard", "reduced"])) == EU_MEMBERS
    assert rates.rate("standard", "DE") == 1900
    assert rates.rate("reduced", "DE") == 700
    assert rates.rate("standard", "FI") == 2550


def test_the_sample_speaks_english_and_german(app: Router, browser: TestApp) -> None:
    add_sample_shop(app.registry)

    assert "Letter paper to print" in browser.get("/").text
    german = browser.get("/", headers={"Accept-Language": "de"})
    assert "Briefpapier zum Ausdrucken" in german.text
    for drawing in german.html.main.find_all("img"):
        assert browser.get(drawing["src"]).content_type == "image/svg+xml"
