"""The pages to withdraw from a contract (STANDARDS D13)."""

from datetime import timedelta

import pytest
from sqlalchemy import update
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from app.shop.models import Seller
from tests.support.accounts import ANNA
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.withdrawing import (
    NOBODYS,
    bought,
    fill_in,
    refunds_in,
    state,
    withdraw,
    withdrawals_in,
)

TEST_NOTE = "Test payment: nothing is charged."


def test_every_page_leads_to_the_withdrawal(customer: TestApp, database: Database) -> None:
    number = bought(customer, database)
    for path in ("/", "/basket", "/account", "/withdraw", f"/orders/{number}"):
        footer = customer.get(path).html.footer
        assert footer.find("a", href="/withdraw").text == "Withdraw from contract here"
    page = customer.get(f"/orders/{number}").click("Withdraw from contract here", index=0)
    assert page.forms[0]["order"].value == number
    assert page.forms[0]["email"].value == ANNA
    assert page.forms[0]["name"].value == "Anna Ödegård"


def test_at_least_one_item_has_to_be_chosen(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    form = state(visitor, number).forms[0]
    form["line-0"].checked = form["line-1"].checked = False

    refused = form.submit(status=422)

    assert "Choose at least one item" in refused.html.find(class_="error-summary").text
    assert refused.html.title.text.startswith("Error: ")
    assert not withdrawals_in(database)


def test_the_statement_names_the_seller(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database)
    with database.transaction(write=True) as session:
        session.execute(update(Seller).values(name="Paper & Sons"))

    assert "my contract with Paper & Sons about" in state(visitor, number).html.main.text


@pytest.mark.parametrize(
    "number", ["", "7K3M", "7K3M-9QXW-2TBD", "https://evil.example", "x" * 10_000, "１２３４"]
)
def test_what_is_no_order_number_is_refused(visitor: TestApp, number: str) -> None:
    refused = fill_in(visitor, number).submit(status=422)

    assert "Enter the order number" in refused.html.find(class_="error-summary").text


@pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\x07", "=?utf-8?q?x?="])
def test_a_name_that_no_email_could_show_is_refused(visitor: TestApp, name: str) -> None:
    fill_in(visitor, NOBODYS, name=name).submit(status=422)


def test_an_order_number_may_be_typed_as_people_type(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database)

    withdraw(visitor, f" {number.lower().replace('-', ' ').replace(' ', '')} ")

    assert withdrawals_in(database)[0].order_id is not None


def test_a_network_can_make_ten_statements_an_hour(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    for number in range(10):
        withdraw(visitor, NOBODYS, email=f"person{number}@example.org")

    state(visitor, NOBODYS, email="one-more@example.org").forms[0].submit(status=429)

    assert len(withdrawals_in(database)) == 10


def test_the_pages_without_a_statement_lead_to_the_form(visitor: TestApp) -> None:
    assert visitor.get("/withdraw/confirm", status=303).location.endswith("/withdraw")
    assert visitor.get("/withdraw/received", status=303).location.endswith("/withdraw")


def test_a_german_withdrawal_has_the_words_of_the_law(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    german = another_browser(make_app(settings_values), HTTP_ACCEPT_LANGUAGE="de")
    assert german.get("/").html.footer.find("a", href="/withdraw").text == "Vertrag widerrufen"
    page = state(german, NOBODYS)
    assert [button.text for button in page.html.main.find_all("button")] == ["Widerruf bestätigen"]


def test_the_button_confirms_the_statement_of_its_own_page(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    first, second = bought(customer, database), bought(customer, database, "envelopes")
    in_first_tab = state(visitor, first).forms[0]
    state(visitor, second)

    in_first_tab.submit(status=303)

    assert [each.order_number for each in withdrawals_in(database)] == [first]


@pytest.mark.parametrize("altered", [{"name": ""}, {"order": "7K3M"}, {"email": "ada@"}])
def test_a_statement_that_was_altered_leads_to_the_form(
    visitor: TestApp, database: Database, altered: dict[str, str]
) -> None:
    form = state(visitor, NOBODYS).forms[0]
    for name, value in altered.items():
        form[name] = value

    assert form.submit(status=303).location.endswith("/withdraw")
    assert not withdrawals_in(database)


def test_a_shared_computer_forgets_who_withdrew(visitor: TestApp, clock: Clock) -> None:
    withdraw(visitor, NOBODYS, name="Ada")

    assert [visitor.get("/withdraw").forms[0][name].value for name in ("name", "email")] == ["", ""]
    assert "Ada" in visitor.get("/withdraw/received").text
    clock.advance(timedelta(minutes=61))
    assert visitor.get("/withdraw/received", status=303).location.endswith("/withdraw")


def test_every_page_about_a_test_order_says_so(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database)

    form = customer.get(f"/withdraw?order={number}")
    refused = fill_in(customer, number, name="").submit(status=422)
    statement = state(visitor, number)
    received = statement.forms[0].submit(status=303).follow()

    for page in (form, refused, statement, received):
        assert TEST_NOTE in page.html.main.text


def test_nobody_learns_from_the_pages_whether_an_order_of_somebody_else_exists(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database)

    form = visitor.get(f"/withdraw?order={number}")
    statement = state(visitor, number, email="stranger@example.org")
    received = statement.forms[0].submit(status=303).follow()

    for page in (form, statement, received, customer.get("/withdraw")):
        assert TEST_NOTE not in page.html.main.text


@pytest.mark.parametrize(
    ("number", "email"), [(NOBODYS, ANNA), (None, "stranger@example.org")], ids=["number", "email"]
)
def test_an_unknown_order_is_acknowledged_by_its_number_alone(
    customer: TestApp,
    visitor: TestApp,
    database: Database,
    mailbox: Mailbox,
    number: str | None,
    email: str,
) -> None:
    real = bought(customer, database)
    name = "Visit https://evil.example"

    page = withdraw(visitor, number or real, name=name, email=email)

    assert page.html.h1.text == "We have received your withdrawal"
    [withdrawal] = withdrawals_in(database)
    assert (withdrawal.order_id, withdrawal.state) == (None, "received")
    [acknowledged] = mailbox.all(kind="withdrawal_received")
    assert acknowledged.recipient == email
    body = f"{acknowledged.subject} {acknowledged.html_body} {acknowledged.text_body}"
    assert (number or real) in body
    assert "evil" not in body
    assert "evil" not in acknowledged.recipient_name
    assert not refunds_in(database)
    assert len(mailbox.all(kind="shop_notice")) == 1
