"""How to get to the pages of ``tests.support.every_page``: what comes before a page, and what is
done on it.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pyotp
from playwright.sync_api import Page
from sqlalchemy import select

from app.accounts import rate_limits, recovery_codes, second_factor
from app.accounts.models import SecondFactor, TokenKind
from app.mail import Recipient
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.test_message import TEST_MESSAGE
from app.web.limits import Limit
from tests.support import accounts
from tests.support.browser import another_browser
from tests.support.outbox import Outbox
from tests.support.visit import Visit, fill

Prepare = Callable[[Visit], str]
"""Prepares a visit, and gives the path to open."""
Act = Callable[[Page], None]
"""Something that is done on the page at that path."""


# --- What comes before a page -------------------------------------------------


def customer(path: str, *, ago: timedelta = timedelta(0), **values: Any) -> Prepare:
    """The path, for a customer who has signed in ``ago``."""

    def prepare(visit: Visit) -> str:
        visit.sign_in(ago=ago, **values)
        return path

    return prepare


def link(path: str, kind: TokenKind, **hours: int) -> Prepare:
    """The path of an emailed link. ``used_at=-1``: it was used an hour ago."""

    def prepare(visit: Visit) -> str:
        times = {name: visit.now + timedelta(hours=hours[name]) for name in hours}
        return f"{path}/{visit.token(kind, **times)}"

    return prepare


def reached(limit: Limit, path: str) -> Prepare:
    """The path, when this network has used the limit up."""

    def prepare(visit: Visit) -> str:
        visit.use_up(limit)
        return path

    return prepare


def failing(error: Exception) -> Prepare:
    """The catalogue, while its view raises ``error``."""

    def prepare(visit: Visit) -> str:
        visit.during.enter_context(patch("app.shop.views.catalogue.select", side_effect=error))
        return "/"

    return prepare


def too_large(visit: Visit) -> str:
    visit.during.enter_context(patch("app.web.malformed_requests.LARGEST_BODY", 10))
    return "/products/sealing-wax"


def own_sign_up(visit: Visit) -> str:
    accounts.sign_up(visit.browser, visit.address)
    return visit.newest_link()


def two_devices(visit: Visit) -> str:
    id = visit.sign_in()
    visit.add_session(id, ago=timedelta(days=3))
    accounts.sign_in(another_browser(visit.app), visit.address, "not the right one")
    return "/account/sessions"


def a_letter(visit: Visit) -> str:
    accounts.sign_up(visit.browser, visit.address)
    return f"/dev/mailbox/{visit.browser.get('/dev/mailbox.json').json[0]['id']}"


def mailbox(visit: Visit) -> str:
    accounts.sign_up(visit.browser, visit.address)
    return "/dev/mailbox"


def with_factor(path: str, *, is_broken: bool = False) -> Prepare:
    """The path, for a customer whose second factor is on. ``is_broken``: ``secret`` has changed."""

    def prepare(visit: Visit) -> str:
        turn_factor_on(visit, visit.sign_in(), is_broken=is_broken)
        return path

    return prepare


def turn_factor_on(visit: Visit, account_id: int, *, is_broken: bool = False) -> None:
    secret = visit.registry.pillarbox.secret
    with visit.registry.database.transaction(write=True) as session:
        second_factor.start_set_up(session, secret, account_id, visit.now)
        factor = session.get_one(SecondFactor, account_id)
        factor.confirmed_at = visit.now
        if is_broken:
            factor.key_check = bytes(32)
        recovery_codes.renew(session, account_id)


def setting_up(visit: Visit) -> str:
    visit.sign_in()
    accounts.post(visit.browser, "/account/second-factor")
    return "/account/second-factor"


def code_missing(visit: Visit) -> str:
    turn_factor_on(visit, visit.sign_in(session={"awaits_code": True}))
    return "/sign-in/code"


def staff(path: str) -> Prepare:
    """The path, for staff. ``{customer}`` in it becomes the id of a customer's account."""

    def prepare(visit: Visit) -> str:
        two_devices(visit)
        customer = visit.account_id
        visit.address = f"staff.{visit.address}"
        visit.sign_in(session={"second_factor_at": visit.now}, is_staff=True)
        return path.format(customer=customer)

    return prepare


def staff_log(path: str) -> Prepare:
    """The path, for staff, with emails in the log. ``{failed}`` in it becomes the id of an email
    that was refused after a try, ``{receipt}`` that of one with content to see.
    """

    def prepare(visit: Visit) -> str:
        with_emails(visit)
        customer = visit.address
        visit.address = f"other.{customer}"
        with visit.registry.database.transaction(write=True) as session:
            mine = select(OutboxEmail).where(OutboxEmail.recipient == customer)
            failed = session.scalars(mine.where(OutboxEmail.state == State.FAILED)).one()
            session.add(
                EmailAttempt(
                    email_id=failed.id,
                    at=visit.now,
                    outcome="refused",
                    phase="rcpt",
                    code=550,
                    enhanced_code="5.2.2",
                    reply=f"550 5.2.2 <{customer}> mailbox full",
                    duration_ms=120,
                )
            )
            message = visit.registry.email_composer.compose(
                TEST_MESSAGE, TEST_MESSAGE.samples["short"], to=Recipient(customer), about="test"
            )
            key = f"test:{customer}"
            receipt = Outbox(visit.registry).service(session).send_message(message, key=key)
            ids = {"failed": failed.id, "receipt": receipt.id}
        return staff(path.replace("{customer}", "{{customer}}").format(**ids))(visit)

    return prepare


def with_emails(visit: Visit) -> str:
    """The list of emails: one is captured, and one could not be delivered."""
    visit.sign_in()
    for _ in range(2):
        accounts.forgot_password(visit.browser, visit.address)
    with visit.registry.database.transaction(write=True) as session:
        mine = OutboxEmail.recipient == visit.address
        newest = session.scalars(select(OutboxEmail).where(mine)).first()
        newest.state, newest.reason = State.FAILED, "mailbox full"
    return "/account/emails"


def taken_meanwhile(visit: Visit) -> str:
    path = link("/account/email", TokenKind.EMAIL_CHANGE)(visit)
    accounts.add_account(visit.registry.database, f"new.{visit.address}")
    return path


def wrong_too_often(visit: Visit) -> str:
    for _ in range(rate_limits.FAILURES_OF_ADDRESS.count + 1):
        accounts.sign_in(visit.browser, "guessed@example.org", "not the right one")
    return "/sign-in"


# --- What is done on a page ---------------------------------------------------


def filled(**fields: str) -> Act:
    return lambda page: fill(page, **fields)


def pressed(selector: str, times: int = 1) -> Act:
    def press(page: Page) -> None:
        for _ in range(times):
            page.locator(selector).first.click()

    return press


def changed(selector: str, script: str, button: str = "main button[type=submit]") -> Act:
    """Change what the form sends, and press its button."""

    def change(page: Page) -> None:
        page.locator(selector).evaluate_all(
            f"(elements) => elements.forEach((e) => {{ {script} }})"
        )
        page.locator(button).first.click()

    return change


def both(*acts: Act) -> Act:
    def act(page: Page) -> None:
        for each in acts:
            each(page)

    return act


def prove_app(page: Page) -> None:
    """Enter the code that an authenticator app shows for the page's key."""
    key = page.locator(".key").inner_text().replace(" ", "")
    fill(page, code=pyotp.TOTP(key).now())
