"""The basket in the visitor's cookie."""

import pytest
from pyramid.router import Router
from sqlalchemy import delete, update
from webtest import TestApp

from app.database.engine import Database
from app.shop.models import Product
from app.web.visitor import MOST_BASKET_LINES
from tests.support.databases import on_sqlite
from tests.support.shopping import add_product, put_into_basket, sign_in, stock

# Nothing here depends on the database.
pytestmark = on_sqlite


def test_the_basket_adds_up_what_is_put_into_it(browser: TestApp, database: Database) -> None:
    stock(database)

    put_into_basket(browser, "letter-paper", 2)
    basket = put_into_basket(browser, "letters-to-nobody").follow()

    assert "Total: €40.00 including VAT" in " ".join(basket.html.main.text.split())


def test_a_form_that_is_sent_twice_puts_nothing_in_twice(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    form = browser.get("/products/envelopes").forms[0]
    form["quantity"] = "3"

    form.submit(status=303)
    basket = form.submit(status=303).follow()

    assert [field["value"] for field in basket.html.find_all(id="quantity-envelopes")] == ["3"]


def test_the_product_page_knows_what_lies_in_the_basket(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    put_into_basket(browser, "envelopes", 3)

    page = browser.get("/products/envelopes")

    assert "In your basket: 3." in page.text
    assert page.forms[0]["quantity"].value == "3"


def test_a_quantity_can_be_changed_and_a_product_removed(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    basket = put_into_basket(browser, "envelopes").follow()

    form = basket.forms[0]
    form["quantity"] = "4"
    basket = form.submit(status=303).follow()
    assert "€39.20" in basket.text

    basket = basket.forms[1].submit(status=303).follow()
    assert "Your basket is empty." in basket.text


@pytest.mark.parametrize("typed", ["0", "-1", "100", "1000", "two", "", "1.5", "1_0", "9" * 400])
def test_a_quantity_that_cannot_be_is_refused_with_what_to_do(
    browser: TestApp, database: Database, typed: str
) -> None:
    stock(database)

    refused = put_into_basket(browser, "envelopes", typed)

    assert refused.status_int == 422
    assert refused.html.title.text.startswith("Error: Lined envelopes")
    assert "Enter a whole number from 1 to 99." in refused.html.find(class_="error-summary").text
    assert refused.html.find(id="quantity-envelopes")["value"] == typed
    assert refused.html.find(id="quantity-envelopes")["aria-invalid"] == "true"
    assert "Your basket is empty." in browser.get("/basket").text


def test_a_wrong_change_is_refused_beside_its_product(browser: TestApp, database: Database) -> None:
    stock(database)
    put_into_basket(browser, "postcards", 5)
    basket = put_into_basket(browser, "envelopes", 2).follow()

    form = basket.forms[2]
    assert form["product"].value == "envelopes"
    form["quantity"] = "0"
    refused = form.submit(status=422)

    assert refused.html.h1.text == "Your basket"
    assert refused.html.find(id="quantity-envelopes-error")
    assert refused.html.find(id="quantity-envelopes")["value"] == "0"
    assert refused.html.find(id="quantity-postcards")["value"] == "5"
    assert browser.get("/basket").forms[2]["quantity"].value == "2"


@pytest.mark.parametrize("slug", ["", "moon", "../x", "postcards"])
def test_what_is_not_sold_cannot_be_put_into_the_basket(
    browser: TestApp, database: Database, slug: str
) -> None:
    stock(database)
    form = browser.get("/products/envelopes").forms[0]
    with database.transaction(write=True) as session:
        session.execute(delete(Product).where(Product.slug == "postcards"))

    form["product"].force_value(slug)
    refused = form.submit(status=422)

    assert "This product is no longer available." in refused.html.find(class_="error-summary").text
    assert "Your basket is empty." in refused.text


def test_the_page_of_a_product_that_is_no_longer_sold_has_no_form(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    with database.transaction(write=True) as session:
        session.execute(update(Product).values(is_available=False))

    page = browser.get("/products/envelopes")

    assert "This product is no longer available." in page.text
    assert not page.forms


def test_a_product_that_vanished_from_the_shop_can_still_be_removed(
    browser: TestApp, database: Database
) -> None:
    stock(database)
    sign_in(browser, database)
    put_into_basket(browser, "postcards")
    put_into_basket(browser, "envelopes")
    with database.transaction(write=True) as session:
        session.execute(delete(Product).where(Product.slug == "postcards"))

    basket = browser.get("/basket")
    assert "This product is no longer available. Remove it to continue." in basket.text
    assert "Go to checkout" not in basket.text
    assert browser.get("/checkout", status=303).location.endswith("/basket")

    basket = basket.forms[0].submit(status=303).follow()
    assert "Go to checkout" in basket.text


def test_a_full_basket_says_so(browser: TestApp, app: Router, database: Database) -> None:
    stock(database)
    with database.transaction(write=True) as session:
        for number in range(MOST_BASKET_LINES + 1):
            add_product(session, f"stamp-{number}", 100)
    for number in range(MOST_BASKET_LINES):
        put_into_basket(browser, f"stamp-{number}")

    refused = put_into_basket(browser, f"stamp-{MOST_BASKET_LINES}")

    assert refused.status_int == 422
    assert "Your basket is full" in refused.html.find(class_="error-summary").text
