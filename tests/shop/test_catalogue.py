"""The catalogue and the product pages of an imported shop, and the route of its pictures."""

from pathlib import Path

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.shop.models import Product, ProductText, Seller
from app.shop.shop_file.importing import import_shop
from app.shop.shop_file.parse import parse
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite
from tests.support.shopping import put_into_basket

pytestmark = on_sqlite

SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"><script>fail()</script></svg>'
FILE = """
currency = "EUR"

[seller]
name = "Doors Ltd"
address = "Sample Street 1"
country = "DE"
email = "help@example.org"
vat_id = "DE000000000"
statement_name = "DOORS LTD"
terms = "terms.txt"
vat = "charged"

[tax.standard]
EU = 19

[[product]]
slug = "doors"
price = "7.50"
tax = "standard"
file = "doors.pdf"
format = { en = "PDF, 3 pages", de = "PDF, 3 Seiten" }
picture = "doors.svg"
name = { en = "Doors", de = "Türen" }
description.en = \"\"\"
Twelve front doors.

Somebody lives behind one.\"\"\"
description.de = "Zwölf Haustüren."
"""


@pytest.fixture
def app(make_app, settings_values: dict[str, str], tmp_path: Path) -> Router:
    """The application of a shop with one product, which was imported."""
    app = make_app(settings_values | {"shop.files": str(tmp_path / "sold")})
    for name, content in (("doors.pdf", b"%PDF"), ("doors.svg", SVG), ("terms.txt", b"Be kind.")):
        (tmp_path / name).write_bytes(content)
    file = tmp_path / "shop.toml"
    file.write_text(FILE, encoding="utf-8")
    import_shop(app.registry, parse(file))
    return app


def words(page: TestResponse) -> str:
    return " ".join(page.html.main.get_text(" ").split())


def picture_of(page: TestResponse) -> str:
    [picture] = page.html.main.find_all("img")
    return str(picture["src"])


def test_names_descriptions_and_formats_are_in_the_language_of_the_visitor(app: Router) -> None:
    english = another_browser(app, HTTP_ACCEPT_LANGUAGE="en")
    german = another_browser(app, HTTP_ACCEPT_LANGUAGE="de")

    assert "Doors PDF, 3 pages €7.50" in words(english.get("/"))
    assert "Türen PDF, 3 Seiten 7,50 €" in words(german.get("/"))
    assert "Download: PDF, 3 pages" in words(english.get("/products/doors"))
    assert "Zwölf Haustüren." in words(german.get("/products/doors"))


def test_a_description_keeps_its_paragraphs(browser: TestApp) -> None:
    page = browser.get("/products/doors")

    said = [paragraph.text for paragraph in page.html.main.find_all("p", class_="lead")]
    assert said == ["Twelve front doors.", "Somebody lives behind one."]
    described = page.html.find("meta", {"name": "description"})["content"]
    assert described == "Twelve front doors. Somebody lives behind one."


def test_a_long_description_is_cut_for_search_engines_alone(
    browser: TestApp, database: Database
) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(ProductText).values(description="word " * 500 + "end"))

    page = browser.get("/products/doors")

    assert len(page.html.find("meta", {"name": "description"})["content"]) <= 255
    assert "word end" in words(page)


@pytest.mark.parametrize("path", ["/", "/products/doors", "/basket"])
def test_the_prices_of_an_exempt_seller_say_why_there_is_no_vat(
    browser: TestApp, database: Database, path: str
) -> None:
    put_into_basket(browser, "doors")
    assert "VAT" in words(browser.get(path))
    with database.transaction(write=True) as session:
        session.execute(
            update(Seller).values(is_exempt=True, vat_sentence={"en": "A small business."})
        )

    page = words(browser.get(path))

    assert "A small business." in page
    assert "VAT" not in page


@pytest.mark.parametrize("path", ["/", "/products/doors", "/basket"])
def test_a_picture_comes_from_the_imported_file_and_is_kept_for_a_year(
    browser: TestApp, path: str
) -> None:
    put_into_basket(browser, "doors")

    picture = browser.get(picture_of(browser.get(path)))

    assert picture.body == SVG
    assert picture.content_type == "image/svg+xml"
    assert picture.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "Set-Cookie" not in picture.headers


def test_a_picture_that_is_opened_by_itself_runs_no_script(browser: TestApp) -> None:
    headers = browser.get(picture_of(browser.get("/"))).headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert headers["Content-Security-Policy"].endswith("; sandbox")
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_sold_is_no_picture(browser: TestApp, app: Router, database: Database) -> None:
    with database.transaction(write=False) as session:
        digest = session.scalars(select(Product.file_sha256)).one()
    assert (app.registry.pillarbox.shop.files / digest).exists()

    browser.get(f"/pictures/{digest}", status=404)


@pytest.mark.parametrize("name", ["0" * 64, "0" * 63, "A" * 64, "..%2Fpillarbox.sqlite", "a\n"])
def test_an_unknown_picture_is_not_found(browser: TestApp, name: str) -> None:
    browser.get(f"/pictures/{name}".replace("\n", "%0A"), status=404)


def test_a_picture_that_is_missing_on_the_disk_is_not_found_and_logged(
    browser: TestApp, app: Router, caplog: pytest.LogCaptureFixture
) -> None:
    path = picture_of(browser.get("/"))
    (app.registry.pillarbox.shop.files / path.rpartition("/")[2]).unlink()

    browser.get(path, status=404)

    assert "picture cannot be read" in caplog.text


def test_a_product_without_a_picture_has_none(browser: TestApp, database: Database) -> None:
    with database.transaction(write=True) as session:
        session.execute(update(Product).values(picture_sha256=None, picture_type=None))

    assert browser.get("/").html.main.find("img") is None
    assert browser.get("/products/doors").html.main.find("img") is None
