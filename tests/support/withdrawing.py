"""How customers withdraw from orders on the shop's pages, and what comes of it."""

from sqlalchemy import select
from webtest import Form, TestApp, TestResponse

from app.database.engine import Database
from app.shop.models import OrderLine, Refund, Withdrawal
from tests.support.accounts import ANNA
from tests.support.shopping import buy, orders_in

NOBODYS = "0000-0000-0000"
"""An order number with a right check character, which no order has."""


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
