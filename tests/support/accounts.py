"""Accounts, and what their owners do in the browser: sign up, sign in, ask for a new password. A
page's heading and errors are read here too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import event
from webtest import TestApp, TestResponse

from app.accounts.addresses import parse_address
from app.accounts.models import Account
from app.accounts.passwords import hash_password
from app.database.engine import Database

ANNA = "anna@example.org"
PASSWORD = "correct horse battery"
ANOTHER_PASSWORD = "seven quiet umbrellas"
PASSWORD_HASH = hash_password(PASSWORD)


def add_account(database: Database, address: str = ANNA, **values: Any) -> int:
    """Add an account with ``PASSWORD``, and return its id."""
    parsed = parse_address(address)
    account = Account(
        **{
            "address": parsed.stored,
            "address_key": parsed.key,
            "password_hash": PASSWORD_HASH,
            "locale": "en",
            "created_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        | values
    )
    with database.transaction(write=True) as session:
        session.add(account)
        session.flush()
        return account.id


def post(browser: TestApp, path: str, **fields: str) -> TestResponse:
    """Open the page, fill in its first form, and send it."""
    form = browser.get(path).forms[0]
    for name, value in fields.items():
        form[name] = value
    return form.submit(expect_errors=True)


def sign_up(browser: TestApp, address: str = ANNA, password: str = PASSWORD) -> TestResponse:
    return post(browser, "/sign-up", email=address, password=password)


def sign_in(browser: TestApp, address: str = ANNA, password: str = PASSWORD) -> TestResponse:
    return post(browser, "/sign-in", email=address, password=password)


def forgot_password(browser: TestApp, address: str = ANNA) -> TestResponse:
    return post(browser, "/forgot-password", email=address)


def is_signed_in(browser: TestApp) -> bool:
    return browser.get("/account").status_int == 200


def heading(page: TestResponse) -> str:
    """The page's one h1."""
    (h1,) = page.html.find_all("h1")
    return h1.get_text()


def summary(page: TestResponse) -> list[str]:
    """The lines of the error summary."""
    return [link.get_text() for link in page.html.select(".error-summary li")]


@contextmanager
def recorded_statements(database: Database) -> Iterator[list[str]]:
    """The first three words of each SQL statement inside the block, in their order."""
    statements: list[str] = []

    def record(connection: Any, cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("PRAGMA"):
            statements.append(" ".join(statement.split()[:3]))

    event.listen(database.engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(database.engine, "before_cursor_execute", record)
