"""Withdrawal from a contract on the shop's pages (STANDARDS D13)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import Form, TestApp, TestResponse

from app.database.engine import Database
from app.mail.outbox.tables import OutboxEmail
from app.mail.testing import Mailbox
from app.shop.events import record
from app.shop.models import Order, OrderLine, Refund, Seller, Withdrawal
from app.shop.payments.disputes import OPENED
from tests.support.accounts import ANNA
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.shopping import buy, order, orders_in, put_into_basket

NOBODYS = "0000-0000-0000"
"""An order number with a right check character, which no order has."""


@pytest.fixture
def visitor(app: Router) -> TestApp:
    """Another browser, which is not signed in."""
    return another_browser(app)


def fill_in(browser: TestApp, number: str, name: str = "Anna", email: str = ANNA) -> Form:
    form = browser.get("/withdraw").forms[0]
    form["name"], form["order"], form["email"] = name, number, email
    return form


def state(browser: TestApp, number: str, name: str = "Anna", email: str = ANNA) -> TestResponse:
    """Fill in the form, and go on to the page with the statement."""
    return fill_in(browser, number, name, email).submit(status=303).follow()


def withdraw(browser: TestApp, number: str, **who: str) -> TestResponse:
    """Withdraw from the whole order. Returns the page that says so."""
    return state(browser, number, **who).forms[0].submit(status=303).follow()


def withdrawals_in(database: Database) -> list[Withdrawal]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Withdrawal).order_by(Withdrawal.id)))


def refunds_in(database: Database) -> list[Refund]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(Refund)))


def lines_in(database: Database) -> list[OrderLine]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(OrderLine).order_by(OrderLine.position)))


def bought(customer: TestApp, database: Database, *slugs: str) -> str:
    """Buy something without consent, and return the order's number."""
    buy(customer, *slugs)
    return orders_in(database)[-1].number


def test_every_page_leads_to_the_withdrawal(customer: TestApp, database: Database) -> None:
    number = bought(customer, database)
    for path in ("/", "/basket", "/account", "/withdraw", f"/orders/{number}"):
        footer = customer.get(path).html.footer
        assert footer.find("a", href="/withdraw").text == "Withdraw from contract here"
    page = customer.get(f"/orders/{number}").click("Withdraw from contract here", index=0)
    assert page.forms[0]["order"].value == number
    assert page.forms[0]["email"].value == ANNA
    assert page.forms[0]["name"].value == "Anna Ödegård"


def test_what_was_not_downloaded_is_refunded_by_itself_and_closed(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)

    page = state(visitor, number)
    assert "I withdraw from my contract with Pillarbox" in page.text
    assert [button.text for button in page.html.main.find_all("button")] == ["Confirm withdrawal"]
    assert not withdrawals_in(database)
    received = page.forms[0].submit(status=303).follow()

    assert received.html.h1.text == "We have received your withdrawal"
    assert "Nov 22, 2026, 12:00" in received.text
    [withdrawal] = withdrawals_in(database)
    assert (withdrawal.state, withdrawal.positions) == ("accepted", [0])
    [refund] = refunds_in(database)
    assert (refund.amount, refund.state, refund.origin) == (1200, "succeeded", "withdrawal")
    assert lines_in(database)[0].closed_at is not None
    [acknowledged] = mailbox.all(kind="withdrawal_received")
    assert acknowledged.recipient == ANNA
    assert len(mailbox.all(kind="refund_receipt")) == 1
    assert not mailbox.all(kind="shop_notice")
    told = " ".join(customer.get(f"/orders/{number}").html.main.text.split())
    assert "You withdrew from this on November 22, 2026." in told
    assert "€12.00 refunded on November 22, 2026." in told


def test_the_customer_chooses_what_to_withdraw_from(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    form = state(visitor, number).forms[0]
    form["line-0"].checked = False

    page = form.submit(status=303).follow()

    assert "Lined envelopes" in page.text
    assert [refund.amount for refund in refunds_in(database)] == [980]
    assert [line.closed_at is not None for line in lines_in(database)] == [False, True]


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


def test_a_button_that_is_pressed_twice_is_one_withdrawal(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)
    form = state(visitor, number).forms[0]

    first, second = form.submit(status=303), form.submit(status=303)

    assert first.location == second.location
    assert len(withdrawals_in(database)) == len(refunds_in(database)) == 1
    assert len(mailbox.all(kind="withdrawal_received")) == 1


def test_a_second_withdrawal_from_the_same_refunds_nothing_and_is_told_to_staff(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)
    withdraw(visitor, number)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["accepted", "received"]
    assert len(refunds_in(database)) == 1
    assert len(mailbox.all(kind="shop_notice")) == 1


def download_began(database: Database, clock: Clock) -> None:
    """The customer consented at the checkout, and has downloaded everything since."""
    with database.transaction(write=True) as session:
        session.execute(update(Order).values(consent_at=clock.now))
        session.execute(update(OrderLine).values(first_download_at=clock.now))


def receipt_is(database: Database, state: str) -> None:
    with database.transaction(write=True) as session:
        of_receipts = OutboxEmail.kind == "purchase_receipt"
        sent_at = OutboxEmail.created_at if state == "sent" else None
        values = {"state": state, "sent_at": sent_at}
        session.execute(update(OutboxEmail).where(of_receipts).values(values))


@pytest.mark.parametrize(
    ("email", "reason"), [("sent", "a download had begun"), ("queued", "a download had begun")]
)
def test_what_was_downloaded_is_for_staff_to_decide(
    customer: TestApp,
    visitor: TestApp,
    database: Database,
    mailbox: Mailbox,
    clock: Clock,
    email: str,
    reason: str,
) -> None:
    number = bought(customer, database)
    download_began(database, clock)
    receipt_is(database, email)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["received"]
    assert not refunds_in(database)
    [notice] = mailbox.all(kind="shop_notice")
    assert reason in notice.text_body
    assert "pillarbox withdrawals" in notice.text_body


def test_an_order_that_the_bank_wants_money_back_for_is_for_staff_to_decide(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    number = bought(customer, database)
    with database.transaction(write=True) as session:
        order_id = orders_in(database)[0].id
        record(session, OPENED, by="webhook", now=clock.now, order_id=order_id)

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["received"]
    assert not refunds_in(database)
    assert "see the dispute" in mailbox.all(kind="shop_notice")[0].text_body


def test_the_statement_names_the_seller(
    customer: TestApp, visitor: TestApp, database: Database
) -> None:
    number = bought(customer, database)
    with database.transaction(write=True) as session:
        session.execute(update(Seller).values(name="Paper & Sons"))

    assert "my contract with Paper & Sons about" in state(visitor, number).html.main.text


def test_the_right_ends_with_the_fourteenth_day(
    customer: TestApp, visitor: TestApp, database: Database, clock: Clock
) -> None:
    first = bought(customer, database)
    second = bought(customer, database)
    clock.now = clock.now.replace(month=12, day=6, hour=23, minute=59, second=59)
    withdraw(visitor, first)
    clock.advance(timedelta(seconds=1))
    withdraw(visitor, second)

    assert [each.state for each in withdrawals_in(database)] == ["accepted", "received"]


def test_a_downloaded_line_does_not_keep_the_other_one(
    customer: TestApp, visitor: TestApp, database: Database, clock: Clock
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    download_began(database, clock)
    with database.transaction(write=True) as session:
        of_second = OrderLine.position == 1
        session.execute(update(OrderLine).where(of_second).values(first_download_at=None))

    withdraw(visitor, number)

    assert [refund.amount for refund in refunds_in(database)] == [980]
    assert [each.state for each in withdrawals_in(database)] == ["received"]


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


def test_who_withdraws_before_paying_pays_nothing(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    put_into_basket(customer, "letter-paper")
    payment_page = order(customer).follow()
    number = orders_in(database)[0].number

    withdraw(visitor, number)

    assert [each.state for each in withdrawals_in(database)] == ["accepted"]
    page = customer.get(f"/orders/{number}")
    assert "there is nothing to pay" in page.text
    assert not page.html.main.find("button")

    # The payment page is still open in another tab.
    payment_page.forms[0].submit(status=303)
    customer.get(f"/orders/{number}", status=200)


def test_money_that_comes_after_a_withdrawal_goes_back(
    customer: TestApp, visitor: TestApp, database: Database, clock: Clock
) -> None:
    put_into_basket(customer, "letter-paper")
    payment_page = order(customer).follow()
    number = orders_in(database)[0].number
    withdraw(visitor, number)

    clock.advance(timedelta(seconds=10))
    payment_page.forms[0].submit(status=303).follow()

    assert orders_in(database)[0].is_paid
    [refund] = refunds_in(database)
    assert (refund.amount, refund.state, refund.origin) == (1200, "succeeded", "withdrawal")


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


def test_the_owner_may_state_another_address(
    customer: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database)

    withdraw(customer, number, email="other@example.org")

    assert withdrawals_in(database)[0].state == "accepted"
    assert mailbox.all(kind="withdrawal_received")[0].recipient == ANNA


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


def test_who_goes_back_and_chooses_more_makes_another_statement(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")
    form = state(visitor, number).forms[0]
    form["line-0"].checked = False
    form.submit(status=303)
    form["line-0"].checked = True

    form.submit(status=303)

    assert [each.positions for each in withdrawals_in(database)] == [[1], [0, 1]]
    assert sorted(refund.amount for refund in refunds_in(database)) == [980, 1200]
    assert len(mailbox.all(kind="withdrawal_received")) == 2


def test_a_whole_order_goes_back_in_one_refund(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox
) -> None:
    number = bought(customer, database, "letter-paper", "envelopes")

    withdraw(visitor, number)

    assert [(refund.amount, refund.position) for refund in refunds_in(database)] == [(2180, None)]
    assert len(mailbox.all(kind="refund_receipt")) == 1


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


def test_staff_read_that_the_right_lasts_while_no_relay_has_accepted_the_consent(
    customer: TestApp, visitor: TestApp, database: Database, mailbox: Mailbox, clock: Clock
) -> None:
    first, second = bought(customer, database), bought(customer, database)
    download_began(database, clock)
    receipt_is(database, "queued")
    withdraw(visitor, first)
    receipt_is(database, "sent")
    withdraw(visitor, second)

    first_notice, second_notice = mailbox.all(kind="shop_notice")
    assert "so the right of withdrawal has not ended" in " ".join(first_notice.text_body.split())
    assert "which had ended the right" in " ".join(second_notice.text_body.split())
