"""The catalogue, the pages of the products, and their pictures."""

from hashlib import sha256

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.shop.models import Product, ProductText, Seller
from tests.support.databases import on_sqlite
from tests.support.sample_catalogue import CATALOGUE
from tests.support.shopping import put_into_basket, stock

# Nothing here depends on the database.
pytestmark = on_sqlite

EXEMPT = {"en": "No VAT is charged.", "de": "Es wird keine Umsatzsteuer berechnet."}
GERMAN = {"Accept-Language": "de"}


def words(page: TestResponse) -> str:
    return " ".join(page.html.main.text.split())


def be_exempt(database: Database) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Seller).values(is_exempt=True, vat_sentence=EXEMPT))


def stock_with_pictures(app: Router) -> None:
    stock(app.registry.database, app.registry.pillarbox.shop.files)


def a_product(database: Database) -> Product:
    with database.transaction(write=False) as session:
        return session.scalars(select(Product).where(Product.slug == "postcards")).one()


def test_the_catalogue_shows_what_can_be_bought_in_its_order(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    with database.transaction(write=True) as session:
        session.execute(
            update(Product).where(Product.slug == "postcards").values(is_available=False)
        )

    page = browser.get("/")

    names = [heading.text for heading in page.html.main.find_all("h2")]
    assert names == [sample.name for sample in CATALOGUE if sample.slug != "postcards"]


def test_an_empty_shop_says_so(browser: TestApp) -> None:
    assert "There are no products yet." in browser.get("/").text


def test_an_unknown_product_is_not_found(browser: TestApp) -> None:
    browser.get("/products/moon", status=404)


def test_products_speak_the_visitors_language_or_the_files_first_one(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    with database.transaction(write=True) as session:
        product = session.scalars(select(Product).where(Product.slug == "postcards")).one()
        product.texts.append(
            ProductText(
                locale="de", position=1, name="Türen", description="Zwölf.", format="PDF, 3 Seiten"
            )
        )

    catalogue = browser.get("/", headers=GERMAN)
    page = browser.get("/products/postcards", headers=GERMAN)

    names = [heading.text for heading in catalogue.html.main.find_all("h2")]
    assert names[2:4] == ["Türen", "Fox seals to cut out"]
    assert page.html.h1.text == "Türen"
    assert "PDF, 3 Seiten" in words(catalogue)
    assert "PDF, 3 Seiten" in words(page)
    assert "Twelve postcards of doors" in browser.get("/products/postcards").text


def describe(database: Database, description: str) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(ProductText).values(description=description))


def test_a_description_keeps_its_paragraphs(browser: TestApp, database: Database) -> None:
    stock(database)
    describe(database, "Twelve front doors.\n\nSomebody lives\nbehind one.")

    page = browser.get("/products/postcards")

    paragraphs = [paragraph.text for paragraph in page.html.main.find_all("p", class_="lead")]
    assert paragraphs == ["Twelve front doors.", "Somebody lives\nbehind one."]
    told = page.html.find("meta", {"name": "description"})["content"]
    assert told == "Twelve front doors. Somebody lives behind one."


def test_a_long_description_is_cut_for_search_engines_alone(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    describe(database, "word " * 500 + "end")

    page = browser.get("/products/postcards")

    assert len(page.html.find("meta", {"name": "description"})["content"]) <= 255
    assert "word end" in words(page)


def test_prices_include_vat(browser: TestApp, database: Database) -> None:
    stock(database)

    assert "All prices include VAT." in words(browser.get("/"))
    assert "€7.50 including VAT" in words(browser.get("/products/postcards"))


def test_an_exempt_seller_never_speaks_of_prices_that_include_vat(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    be_exempt(database)

    put_into_basket(browser, "postcards")
    pages = [browser.get(path) for path in ("/", "/products/postcards", "/basket")]

    for page in pages:
        assert EXEMPT["en"] in words(page), page.request.path
        assert "includ" not in words(page), page.request.path
    assert EXEMPT["de"] in words(browser.get("/", headers=GERMAN))


def test_pages_show_the_pictures_that_the_owner_imported(browser: TestApp, app: Router) -> None:
    stock_with_pictures(app)
    put_into_basket(browser, "postcards")

    drawings = browser.get("/").html.main.find_all("img")

    assert len(drawings) == len(CATALOGUE)
    for drawing in drawings:
        picture = browser.get(drawing["src"])
        assert picture.content_type == "image/svg+xml"
        assert sha256(picture.body).hexdigest() in drawing["src"]
    for path in ("/products/postcards", "/basket"):
        assert browser.get(path).html.main.img["src"] == drawings[2]["src"]


def test_a_product_without_a_picture_has_none(browser: TestApp, database: Database) -> None:
    stock(database)

    assert browser.get("/").html.main.img is None
    assert browser.get("/products/postcards").html.main.img is None


def test_a_picture_is_kept_for_good_and_can_do_nothing(browser: TestApp, app: Router) -> None:
    stock_with_pictures(app)

    picture = browser.get(f"/pictures/{a_product(app.registry.database).picture_sha256}")

    assert picture.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert picture.headers["Content-Security-Policy"] == policy
    assert picture.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in picture.headers


def test_what_is_sold_is_no_picture(browser: TestApp, app: Router) -> None:
    stock_with_pictures(app)
    digest = a_product(app.registry.database).file_sha256
    (app.registry.pillarbox.shop.files / digest).write_bytes(b"%PDF")

    browser.get(f"/pictures/{digest}", status=404)


def test_a_picture_whose_file_is_gone_is_not_found(browser: TestApp, app: Router) -> None:
    stock_with_pictures(app)
    digest = a_product(app.registry.database).picture_sha256
    (app.registry.pillarbox.shop.files / str(digest)).unlink()

    browser.get(f"/pictures/{digest}", status=404)


@pytest.mark.parametrize("name", ["", "a", "0" * 63, "0" * 64, "A" * 64, "..%2f" * 3, "0" * 65])
def test_other_addresses_are_no_pictures(browser: TestApp, database: Database, name: str) -> None:
    stock(database)

    browser.get(f"/pictures/{name}", status=404)
