"""An authenticator app, and what its owner does with it in the browser."""

from dataclasses import dataclass
from datetime import timedelta

import pyotp
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.accounts.models import AccountEvent
from app.database.engine import Database
from tests.support.accounts import ANNA, PASSWORD, post, sign_in
from tests.support.clock import Clock

PAGE = "/account/second-factor"
CODE_PAGE = "/sign-in/code"
STEP = timedelta(seconds=30)


@dataclass
class Phone:
    """An authenticator app with the key that the page showed, and the recovery codes."""

    key: str
    clock: Clock
    recovery_codes: tuple[str, ...] = ()

    def code(self, steps: int = 0) -> str:
        """The code that the app shows now, or so many steps of 30 seconds from now."""
        return pyotp.TOTP(self.key).at(self.clock(), counter_offset=steps)


def start_set_up(browser: TestApp, clock: Clock) -> Phone:
    """Press "Set up" unless that is done, and read the key from the page."""
    page = browser.get(PAGE)
    if page.html.select_one(".key") is None:
        page = page.forms[0].submit().follow()
    return Phone(page.html.select_one(".key code").get_text().replace(" ", ""), clock)


def turn_on(browser: TestApp, clock: Clock) -> Phone:
    """Turn the second factor on, in a browser that is signed in. Its code is used up."""
    phone = start_set_up(browser, clock)
    page = post(browser, PAGE, code=phone.code())
    codes = tuple(code.get_text() for code in page.html.select(".recovery-codes code"))
    assert len(codes) == 10
    clock.advance(STEP)
    return Phone(phone.key, clock, codes)


def sign_in_with_code(
    browser: TestApp, code: str, address: str = ANNA, password: str = PASSWORD
) -> TestResponse:
    """Sign in with the password, and then with the code."""
    page = sign_in(browser, address, password)
    assert "/sign-in/code" in page.location
    return enter(browser, code)


def enter(browser: TestApp, code: str) -> TestResponse:
    """Send the code on the second page of the sign-in."""
    return post(browser, CODE_PAGE, code=code)


def events(database: Database, account_id: int | None = None) -> list[tuple[str, str]]:
    """Kind and outcome of each event, in their order."""
    query = select(AccountEvent).order_by(AccountEvent.id)
    if account_id is not None:
        query = query.where(AccountEvent.account_id == account_id)
    with database.transaction(write=False) as session:
        return [(event.kind, event.outcome) for event in session.scalars(query)]
