"""A customer's whole way through the shop, from sign-up to purchase. The emails on the way may be
captured, or delivered by a relay.
"""

import re
from collections.abc import Callable

from webtest import TestApp, TestResponse

from tests.support.accounts import sign_in
from tests.support.browser import another_browser
from tests.support.shopping import buy

ADDRESS = "ada@example.org"
FIRST_PASSWORD = "a lovely long passphrase"
SECOND_PASSWORD = "an even lovelier passphrase"
EMAILS = [
    "confirm_address",
    "welcome",
    "password_reset",
    "password_changed",
    "purchase_receipt",
    "account_exists",
]

ReadText = Callable[[str], str]
"""Gives the plain text of the newest email of a kind, once it is there."""


def walk(browser: TestApp, read: ReadText) -> TestResponse:
    """Sign up, confirm, sign in, forget and reset the password, buy, and sign up once more by
    mistake. Every link with a token is taken out of an email. Returns the paid order's page.
    """
    page = browser.get("/").click("Sign in").click("Create an account")
    page.form["email"], page.form["password"] = ADDRESS, FIRST_PASSWORD
    assert ADDRESS in page.form.submit().follow().text
    page = _follow_link(browser, read("confirm_address"))
    page.form.submit().follow()
    read("welcome")
    assert sign_in(browser, ADDRESS, FIRST_PASSWORD).status_int == 303

    page = browser.get("/forgot-password")
    page.form["email"] = ADDRESS
    assert ADDRESS in page.form.submit().follow().text
    page = _follow_link(browser, read("password_reset"))
    page.form["password"] = SECOND_PASSWORD
    page.form.submit().follow()
    read("password_changed")
    assert browser.get("/account").status_int == 303, "a reset ends every session"
    assert sign_in(browser, ADDRESS, FIRST_PASSWORD).status_int == 422
    assert sign_in(browser, ADDRESS, SECOND_PASSWORD).status_int == 303

    order = buy(browser)
    read("purchase_receipt")

    stranger = another_browser(browser.app)
    page = stranger.get("/sign-up")
    page.form["email"], page.form["password"] = ADDRESS, FIRST_PASSWORD
    assert ADDRESS in page.form.submit().follow().text
    read("account_exists")
    return order


def _follow_link(browser: TestApp, text: str) -> TestResponse:
    link = re.search(r"https?://[^/\s]+(/(?:confirm|reset-password)/\S+)", text)
    assert link, "the email has no link with a token"
    return browser.get(link[1])
