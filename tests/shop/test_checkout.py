"""The checkout: one order for one basket, at the prices that the customer saw."""

from datetime import UTC, date, datetime

import pytest
from pyramid.router import Router
from sqlalchemy import delete, select, update
from webtest import Form, TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Document, Order, Payment, Product, Seller, TaxRate
from app.shop.payments.waiting import place_to_wait, share_threads
from tests.support.application import MakeApp
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.rows import count
from tests.support.shopping import (
    BUYER,
    add_product,
    buy,
    order,
    orders_in,
    put_into_basket,
    sign_in,
    stock,
)


def be_a_customer(browser: TestApp, database: Database) -> None:
    """Stock the shop, sign in to a new account, and put envelopes into the basket."""
    stock(database)
    sign_in(browser, database)
    put_into_basket(browser, "envelopes")


def checkout_of_a_customer(browser: TestApp, database: Database) -> Form:
    """The checkout's form, filled in."""
    be_a_customer(browser, database)
    form = browser.get("/checkout").forms[0]
    form["name"], form["address"] = BUYER["name"], BUYER["address"]
    return form


def another_tab(app: Router, browser: TestApp) -> TestApp:
    """The same browser's second tab: it has the cookies of this moment."""
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    return another_browser(app, HTTP_COOKIE=cookies)


def test_the_checkout_asks_to_sign_in_and_comes_back(browser: TestApp, database: Database) -> None:
    stock(database)
    put_into_basket(browser, "envelopes")

    location = browser.get("/checkout", status=303).location

    assert location.endswith("/sign-in?next=%2Fcheckout")


def test_an_empty_basket_leads_back_to_the_basket(browser: TestApp, database: Database) -> None:
    sign_in(browser, database)
    stock(database)

    assert browser.get("/checkout", status=303).location.endswith("/basket")


@pytest.mark.parametrize(
    ("field", "typed", "told"),
    [
        ("name", "", "Enter your name"),
        ("name", "   ", "Enter your name"),
        ("name", "a" * 101, "at most 100 characters"),
        ("name", "Anna\x07", "any invisible characters"),
        ("name", "=?utf-8?q?Anna?=", "any invisible characters"),
        ("address", "a" * 401, "at most 400 characters"),
        ("address", "Storgatan\n\x07", "any invisible characters"),
    ],
)
def test_what_no_receipt_could_show_is_refused_with_what_to_do(
    browser: TestApp, database: Database, field: str, typed: str, told: str
) -> None:
    be_a_customer(browser, database)

    refused = order(browser, **{field: typed})

    assert refused.status_int == 422
    assert refused.html.title.text.startswith("Error: ")
    [link] = refused.html.find(class_="error-summary").find_all("a")
    assert link["href"] == f"#{field}"
    assert told in link.text
    other = next(name for name in BUYER if name != field)
    assert refused.forms[0][other].value.replace("\r\n", "\n") == BUYER[other]
    assert not orders_in(database)


def test_the_receipt_shows_the_buyer_as_typed_but_for_stray_spaces(
    browser: TestApp, database: Database
) -> None:
    be_a_customer(browser, database)

    order(browser, name="  Anna   O'Reilly & Söhne ", address=" Storgatan 1 \r\n\r\nStockholm\r\n")

    [placed] = orders_in(database)
    assert placed.buyer_name == "Anna O'Reilly & Söhne"
    assert placed.buyer_address == "Storgatan 1\nStockholm"


def test_a_changed_price_is_shown_before_anything_is_ordered(
    browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)
    with database.transaction(write=True) as session:
        session.execute(update(Product).values(price=1234))

    shown_again = form.submit(status=422)

    summary = shown_again.html.find(class_="error-summary").text
    assert "a price has changed" in summary
    assert "The total is now €12.34." in summary
    assert not orders_in(database)

    shown_again.forms[0].submit(status=303)
    assert [placed.total for placed in orders_in(database)] == [1234]


def test_a_basket_that_changed_in_another_tab_is_shown_before_anything_is_ordered(
    browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)
    put_into_basket(browser, "envelopes", 2)

    shown_again = form.submit(status=422)

    assert "Your basket or a price has changed" in shown_again.text
    assert not orders_in(database)


def test_a_product_that_vanished_meanwhile_leads_back_to_the_basket(
    browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)
    with database.transaction(write=True) as session:
        session.execute(delete(Product))

    basket = form.submit(status=303).follow()

    assert "This product is no longer available. Remove it to continue." in basket.text
    assert not orders_in(database)


def test_a_form_that_is_sent_twice_makes_one_order_and_one_payment(
    browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)

    first = form.submit(status=303)
    second = form.submit(status=303)

    assert first.location == second.location
    assert count(database, Order) == count(database, Payment) == 1


def test_a_form_that_is_sent_again_after_paying_leads_to_the_paid_order(
    browser: TestApp, database: Database, mailbox: Mailbox
) -> None:
    form = checkout_of_a_customer(browser, database)
    order_page = form.submit().follow().forms[0].submit().follow()

    again = form.submit(status=303)

    assert again.location == order_page.request.path_url
    assert count(database, Order) == count(database, Payment) == count(database, Document) == 1
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_who_goes_back_to_the_checkout_and_orders_again_makes_another_order(
    browser: TestApp, database: Database
) -> None:
    be_a_customer(browser, database)
    order(browser, name="Anna Oedegaard")

    order(browser, name="Anna Ödegård")

    assert [placed.buyer_name for placed in orders_in(database)] == [
        "Anna Oedegaard",
        "Anna Ödegård",
    ]


def test_parallel_posts_make_one_order_one_payment_and_one_receipt(
    app: Router, browser: TestApp, database: Database, mailbox: Mailbox
) -> None:
    form = checkout_of_a_customer(browser, database)
    share_threads(app.registry, 12)

    def post_at_once(path: str, fields: list[tuple[str, str]]) -> set[str]:
        tabs = [another_tab(app, browser) for _ in range(6)]
        return set(at_once(lambda tab: tab.post(path, fields, status=303).location, tabs))

    [payment_page] = post_at_once("/checkout", form.submit_fields())
    assert count(database, Order) == count(database, Payment) == 1

    [order_page] = post_at_once(payment_page, browser.get(payment_page).forms[0].submit_fields())
    at_once(lambda tab: tab.get(order_page), [another_tab(app, browser) for _ in range(6)])
    assert "Your order is paid" in browser.get(order_page).text
    assert count(database, Order) == count(database, Payment) == count(database, Document) == 1
    assert len(mailbox.all(kind="purchase_receipt")) == 1


def test_who_finds_no_place_to_wait_for_the_provider_is_told_to_come_back(
    app: Router, browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)
    share_threads(app.registry, 2)

    with place_to_wait(app.registry):
        page = form.submit(status=303).follow()

    assert "The payment could not be started" in page.text
    assert "Try again in a minute." in page.text
    [placed] = orders_in(database)
    assert page.forms[0].submit(status=303).location.startswith("http://localhost/payments/test/")
    assert placed.state == "open"


def test_a_basket_that_somebody_else_has_ordered_is_not_ordered_for_them(
    app: Router, browser: TestApp, database: Database
) -> None:
    be_a_customer(browser, database)
    basket_id = browser.get("/checkout").forms[0]["basket"].value
    order(browser)
    other = another_browser(app)
    sign_in(other, database, "bert@example.org")
    put_into_basket(other, "postcards")
    form = other.get("/checkout").forms[0]
    form["basket"].force_value(basket_id)
    form["name"], form["address"] = "Bert", "Here"

    answer = form.submit(status=303)

    assert answer.location.endswith("/checkout")
    assert count(database, Order) == 1


def test_a_shop_whose_provider_refuses_the_key_says_so(
    app: Router, browser: TestApp, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = checkout_of_a_customer(browser, database)
    monkeypatch.setattr(app.registry.payment_provider, "is_open", False, raising=False)

    form.submit(status=503)
    closed = browser.get("/checkout", status=503)

    assert "This shop cannot take payments at the moment." in closed.text
    assert "Lined envelopes" in browser.get("/basket").text
    assert not orders_in(database)


def test_a_shop_without_a_seller_sells_nothing(browser: TestApp, database: Database) -> None:
    form = checkout_of_a_customer(browser, database)
    with database.transaction(write=True) as session:
        session.execute(delete(Seller))

    form.submit(status=503)

    browser.get("/checkout", status=503)
    assert not orders_in(database)


def test_the_country_of_the_seller_is_chosen_until_the_customer_chose_another(
    browser: TestApp, database: Database
) -> None:
    be_a_customer(browser, database)
    assert browser.get("/checkout").forms[0]["country"].value == "DE"

    order(browser, country="SE")

    put_into_basket(browser, "postcards")
    assert browser.get("/checkout").forms[0]["country"].value == "SE"


@pytest.mark.parametrize("country", ["", "US", "EU", "se", "Sweden"])
def test_a_country_without_a_rate_is_refused(
    browser: TestApp, database: Database, country: str
) -> None:
    form = checkout_of_a_customer(browser, database)
    form["country"].force_value(country)

    refused = form.submit(status=422)

    assert "Choose the country you live in." in refused.html.find(class_="error-summary").text
    assert not orders_in(database)


def test_a_rate_that_is_gone_when_the_order_comes_is_told(
    browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)
    with database.transaction(write=True) as session:
        session.execute(update(TaxRate).values(country="FR"))

    refused = form.submit(status=422)

    assert "Choose the country you live in." in refused.text
    assert refused.forms[0]["country"].options == [("FR", False, "France")]
    assert not orders_in(database)


def test_products_that_no_country_has_all_rates_for_cannot_be_ordered_together(
    browser: TestApp, database: Database
) -> None:
    be_a_customer(browser, database)
    with database.transaction(write=True) as session:
        session.add(TaxRate(tax_class="stone", country="CH", starts_on=date(2020, 1, 1), rate=810))
        session.execute(
            update(Product).where(Product.slug == "postcards").values(tax_class="stone")
        )
    form = browser.get("/checkout").forms[0]
    put_into_basket(browser, "postcards")

    basket = browser.get("/checkout", status=303).follow()

    assert "We cannot sell these products together." in basket.text
    assert form.submit(status=303).location.endswith("/basket")
    assert not orders_in(database)


def test_vat_follows_the_country_of_the_buyer(browser: TestApp, database: Database) -> None:
    be_a_customer(browser, database)
    with database.transaction(write=True) as session:
        session.add(
            TaxRate(tax_class="standard", country="SE", starts_on=date(2020, 1, 1), rate=2500)
        )

    order(browser, country="SE")

    [placed] = orders_in(database)
    # 9.80 holds 1.96 at 25%.
    assert (placed.total, placed.vat, placed.buyer_country) == (980, 196, "SE")


def test_consent_to_start_at_once_is_kept_with_its_time(
    browser: TestApp, database: Database
) -> None:
    form = checkout_of_a_customer(browser, database)
    assert not form["start_now"].checked
    form["start_now"].checked = True

    form.submit(status=303)

    [placed] = orders_in(database)
    assert placed.consent_at == placed.created_at


def test_without_consent_the_right_of_withdrawal_lasts_for_fourteen_whole_days(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    app = make_app(settings_values | {"site.time_zone": "Europe/Berlin"})
    database: Database = app.registry.database
    checkout_of_a_customer(another_browser(app), database).submit(status=303)

    [placed] = orders_in(database)
    assert placed.consent_at is None
    # Ordered on November 22. In Berlin, December 6 ends at 23:00 UTC.
    assert placed.withdrawal_ends_at == datetime(2026, 12, 6, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("price", "told"),
    [
        (49, "The smallest amount that can be paid is €0.50."),
        (100_000_000, "The largest amount that can be paid at once is €999,999.99."),
    ],
)
def test_an_amount_that_no_provider_takes_is_refused(
    browser: TestApp, database: Database, price: int, told: str
) -> None:
    stock(database)
    sign_in(browser, database)
    with database.transaction(write=True) as session:
        add_product(session, "stamp", price)
    put_into_basket(browser, "stamp")

    refused = order(browser)

    assert refused.status_int == 422
    assert told in refused.html.find(class_="error-summary").text
    assert not orders_in(database)


def test_an_order_of_nothing_needs_no_provider(
    browser: TestApp, database: Database, mailbox: Mailbox
) -> None:
    stock(database)
    sign_in(browser, database)
    with database.transaction(write=True) as session:
        add_product(session, "gift", 0)
    put_into_basket(browser, "gift")

    page = order(browser).follow()

    assert "Your order is paid" in page.text
    assert len(mailbox.all(kind="purchase_receipt")) == 1
    with database.transaction(write=False) as session:
        [payment] = session.scalars(select(Payment))
    assert (payment.provider, payment.amount, payment.state) == ("none", 0, "paid")


def test_buying_twice_makes_two_orders(browser: TestApp, database: Database) -> None:
    stock(database)
    sign_in(browser, database)

    buy(browser)
    buy(browser)

    assert count(database, Order) == count(database, Document) == 2


def test_a_basket_that_something_was_taken_out_of_is_a_basket_of_its_own(
    app: Router, database: Database
) -> None:
    stock(database)
    for address in ("anna@example.org", "ben@example.org"):
        customer = another_browser(app)
        sign_in(customer, database, address)
        put_into_basket(customer, "letter-paper")
        put_into_basket(customer, "envelopes")
        forms = customer.get("/basket").forms.values()
        removal = next(form for form in forms if "action" in form.fields)
        removal.submit(status=303)
        payment_page = order(customer).follow()
        assert payment_page.forms[0].submit().follow().status_int == 200
    placed = orders_in(database)
    assert len(placed) == 2
    assert "" not in {each.basket_id for each in placed}
