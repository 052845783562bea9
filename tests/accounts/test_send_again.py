"""The button that sends an email again: its limit, and what its page says (STANDARDS B7)."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import ANNA, add_account, forgot_password, heading, sign_up
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock

ASKS = pytest.mark.parametrize("ask", [sign_up, forgot_password])
KNOWN = pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
Ask = Callable[[TestApp], TestResponse]


def alert(page: TestResponse) -> str:
    return page.html.find(role="alert").get_text()


@ASKS
@KNOWN
def test_a_browser_may_send_again_three_times_in_ten_minutes(
    browser: TestApp, mailbox: Mailbox, database: Database, clock: Clock, ask: Ask, is_known: bool
) -> None:
    if is_known:
        add_account(database)
    page = ask(browser).follow()
    for _ in range(3):
        page = page.forms[0].submit(status=303).follow()
        clock.advance(timedelta(minutes=1))
    written = len(mailbox.all())

    page = page.forms[0].submit(status=429)
    assert heading(page) == "Check your inbox"
    assert page.headers["Retry-After"] == "420"
    assert alert(page) == (
        "We have not sent another email, because you have asked for several. You can ask again in"
        " 7 minutes."
    )
    assert "sending another email" not in page.text
    assert len(mailbox.all()) == written

    clock.advance(timedelta(minutes=7))
    for _ in range(3):
        assert page.forms[0].submit(status=303).follow().html.find(role="alert") is None
    assert page.forms[0].submit(status=429).headers["Retry-After"] == "600"


@ASKS
def test_pressing_many_times_at_once_sends_no_more(browser: TestApp, ask: Ask, app: Router) -> None:
    page = ask(browser).follow()
    fields = {"csrf_token": page.forms[0]["csrf_token"].value}
    cookies = dict(browser.cookies)

    def press(_number: int) -> TestResponse:
        same_browser = another_browser(app)
        for name, value in cookies.items():
            same_browser.set_cookie(name, value)
        return same_browser.post(page.request.path, fields, expect_errors=True)

    pages = at_once(press, range(6))
    assert sorted(page.status_int for page in pages) == [303, 303, 303, 429, 429, 429]


@ASKS
def test_each_browser_has_a_limit_of_its_own(app: Router, browser: TestApp, ask: Ask) -> None:
    page = ask(browser).follow()
    for status in (303, 303, 303, 429):
        page.forms[0].submit(status=status)
    page = ask(another_browser(app)).follow()
    assert page.forms[0].submit().status_int == 303


@ASKS
def test_what_the_recipients_limit_holds_back_is_not_said_to_be_sent(
    browser: TestApp, mailbox: Mailbox, database: Database, clock: Clock, ask: Ask
) -> None:
    if ask is forgot_password:
        add_account(database)
    page = ask(browser).follow()
    said = set()
    while mailbox.latest().state == "captured":
        page = page.forms[0].submit().follow()
        said.add(page.html.find(role="status").get_text())
        clock.advance(timedelta(minutes=4))
    assert mailbox.latest().state == "throttled"
    assert mailbox.latest().recipient == ANNA
    # One sentence for both, and it is true of both.
    [sentence] = said
    assert "unless too many were requested" in sentence
    assert "sent you" not in page.text
    assert "have sent an email" not in page.text
