"""The download of an account's data (STANDARDS B13)."""

import json

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import ANNA, add_account, forgot_password, sign_in
from tests.support.browser import another_browser
from tests.support.paid_orders import refund
from tests.support.shopping import buy, stock


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna is signed in, and Berta has an account too."""
    add_account(database, "berta@example.org")
    anna = add_account(database)
    sign_in(browser)
    return anna


def test_the_file_holds_everything_about_the_account_and_no_secret(
    app: Router, browser: TestApp, mailbox: Mailbox, database: Database
) -> None:
    stock(database)
    buy(browser)
    refund(app.registry, 500, "The pages were upside down.")
    forgot_password(another_browser(app))
    forgot_password(another_browser(app), "berta@example.org")
    secret = mailbox.link(mailbox.latest(to=ANNA, kind="password_reset")).rpartition("/")[2]
    answer = browser.get("/account/export").forms[0].submit(status=200)
    assert answer.content_type == "application/json"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="account.json"'
    assert answer.headers["Cache-Control"] == "no-store"
    content = json.loads(answer.body)
    assert set(content) == {"account", "orders", "sessions", "events", "emails", "suppression"}
    assert content["account"]["address"] == ANNA
    assert [order["email"] for order in content["orders"]] == [ANNA]
    assert content["orders"][0]["refunds"] == [
        {
            "amount": 500,
            "currency": "EUR",
            "reason": "The pages were upside down.",
            "state": "succeeded",
            "created_at": "2026-11-22T12:00:00+00:00",
        }
    ]
    assert [email["kind"] for email in content["emails"]] == [
        "password_reset",
        "refund_receipt",
        "purchase_receipt",
    ]
    assert content["suppression"] is None
    assert secret not in answer.text
    assert "argon2" not in answer.text
    assert "berta" not in answer.text


def test_a_visitor_cannot_download(app: Router) -> None:
    another_browser(app).get("/account/export", status=303)
