"""The limits of sign-in, sign-up, resets and pages of links (STANDARDS B7)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from webtest import TestApp

from app.accounts import rate_limits
from app.accounts.models import AccountEvent
from app.accounts.rate_limits import FAILURES_OF_ALL
from app.database.engine import Database
from app.mail.testing import Mailbox
from app.web import limits
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    sign_in,
    sign_up,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock

MINUTE = timedelta(minutes=1)
BERTA = "berta@example.org"


def network(number: int) -> str:
    """An address of a network of its own."""
    return f"198.18.{number // 250}.{number % 250 + 1}"


def try_at(app: Router, address: str, *, number: int, password: str = ANOTHER_PASSWORD) -> int:
    """The status of a sign-in from a new browser in the network with this number."""
    browser = another_browser(app, REMOTE_ADDR=network(number))
    return sign_in(browser, address, password).status_int


def events(database: Database) -> list[tuple[str, str, int | None]]:
    with database.transaction(write=False) as session:
        rows = session.scalars(select(AccountEvent).order_by(AccountEvent.id))
        return [(row.kind, row.outcome, row.account_id) for row in rows]


def test_a_network_signs_in_thirty_times_a_minute(
    app: Router, database: Database, clock: Clock
) -> None:
    """Whatever the addresses: 500 tries for 500 of them."""
    add_account(database)
    browser = another_browser(app, REMOTE_ADDR="2001:db8:1:2::1")
    form = browser.get("/sign-in").form
    statuses = []
    for number in range(500):
        form["email"], form["password"] = f"person{number}@example.org", "wrong password"
        statuses.append(form.submit(expect_errors=True).status_int)
    assert statuses == [422] * 30 + [429] * 470
    assert events(database).count(("sign_in", "refused", None)) == 1
    # Another address of the same /64 counts as the same client, and the right password too.
    neighbour = another_browser(app, REMOTE_ADDR="2001:db8:1:2:ffff::1")
    assert sign_in(neighbour).status_int == 429
    assert try_at(app, ANNA, number=1, password=PASSWORD) == 303
    clock.advance(MINUTE)
    assert sign_in(neighbour).status_int == 303


@pytest.mark.parametrize("is_known", [True, False], ids=["known", "unknown"])
def test_an_address_has_ten_wrong_passwords_and_then_one_a_minute(
    app: Router, database: Database, clock: Clock, is_known: bool
) -> None:
    """From however many networks: 500 of them."""
    anna = add_account(database) if is_known else None
    form = another_browser(app).get("/sign-in").form
    form["email"], form["password"] = ANNA, ANOTHER_PASSWORD
    statuses = [
        form.submit(expect_errors=True, extra_environ={"REMOTE_ADDR": network(number)}).status_int
        for number in range(500)
    ]
    assert statuses == [422] * 10 + [429] * 490
    assert events(database) == [("sign_in", "failed", anna)] * 10 + [("sign_in", "refused", anna)]
    clock.advance(MINUTE)
    assert [try_at(app, ANNA, number=number) for number in range(3)] == [422, 429, 429]
    clock.advance(15 * MINUTE)
    assert try_at(app, ANNA, number=1) == 422


def test_the_page_says_how_long_to_wait_and_offers_a_reset(app: Router, browser: TestApp) -> None:
    for _ in range(10):
        sign_in(browser)
    page = sign_in(browser)
    assert page.status_int == 429
    assert page.headers["Retry-After"] == "60"
    assert heading(page) == "Too many attempts"
    assert "You can try again in 1 minute." in page.text
    assert heading(page.click("Choose a new password")) == "Forgot your password?"


def test_tries_at_once_do_not_pass_the_limit(app: Router, database: Database) -> None:
    add_account(database)
    statuses = at_once(lambda number: try_at(app, ANNA, number=number), range(20))
    assert sorted(statuses) == [422] * 10 + [429] * 10


def test_a_right_password_clears_the_count_of_the_address_only(
    app: Router, database: Database
) -> None:
    add_account(database)
    for _ in range(2):
        for _ in range(9):
            assert try_at(app, ANNA, number=1) == 422
        assert try_at(app, ANNA, number=1, password=PASSWORD) == 303
    # These twenty count for the network, the right passwords too.
    assert [try_at(app, BERTA, number=1) for _ in range(11)] == [422] * 10 + [429]


def test_strangers_do_not_lock_the_owner_out(
    app: Router, browser: TestApp, database: Database
) -> None:
    add_account(database)
    sign_in(browser)
    browser.get("/account").form.submit()
    for number in range(12):
        try_at(app, ANNA, number=number + 2)
    assert try_at(app, ANNA, number=50, password=PASSWORD) == 429
    # This browser was signed in before, so it has a count of its own.
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 422
    assert sign_in(browser).status_int == 303
    browser.get("/account").form.submit()
    for _ in range(10):
        assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 422
    assert sign_in(browser).status_int == 429


def test_copies_of_a_known_browsers_cookie_share_one_count(app: Router, database: Database) -> None:
    add_account(database)
    owner = another_browser(app, REMOTE_ADDR=network(1))
    sign_in(owner)
    owner.get("/account").form.submit()
    statuses = []
    for number in range(12):
        copy = another_browser(app, REMOTE_ADDR=network(number + 2))
        for name, value in owner.cookies.items():
            copy.set_cookie(name, value)
        statuses.append(sign_in(copy, password=ANOTHER_PASSWORD).status_int)
    assert statuses == [422] * 10 + [429] * 2


def test_the_first_refusal_of_a_period_is_recorded_and_logged_once(
    app: Router, database: Database, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Although the try after the tenth is allowed, because it comes a minute later."""
    anna = add_account(database)
    for number in range(10):
        try_at(app, ANNA, number=number)
    clock.advance(MINUTE)
    assert [try_at(app, ANNA, number=number) for number in range(20, 24)] == [422, 429, 429, 429]
    clock.advance(MINUTE)
    assert [try_at(app, ANNA, number=number) for number in range(24, 26)] == [422, 429]
    assert events(database).count(("sign_in", "refused", anna)) == 1
    lines = [line for line in caplog.messages if "limit reached" in line]
    assert len(lines) == 1
    assert "limit=failures of address" in lines[0]


@pytest.mark.parametrize(
    ("path", "field", "limit", "kind"),
    [
        ("/sign-up", "email", rate_limits.SIGN_UPS, "sign_up"),
        ("/forgot-password", "email", rate_limits.RESET_REQUESTS, "reset_request"),
        ("/account/email", "new_email", rate_limits.EMAIL_CHANGES, "email_change_request"),
        ("/confirm/x", None, rate_limits.TOKEN_PAGES, "link"),
    ],
)
def test_every_refusal_is_one_event_a_period(
    app: Router,
    browser: TestApp,
    database: Database,
    clock: Clock,
    path: str,
    field: str | None,
    limit: limits.Limit,
    kind: str,
) -> None:
    add_account(database)
    sign_in(browser)
    for _ in range(limit.count):
        limits.use(app.registry, limit, "127.0.0.1", clock())
    for _ in range(2):
        if field is None:
            browser.get(path, status=429)
            continue
        form = (
            another_browser(app).get(path).form
            if path != "/account/email"
            else (browser.get(path).form)
        )
        form[field] = "person@example.org"
        if "password" in form.fields:
            form["password"] = PASSWORD
        assert form.submit(expect_errors=True).status_int == 429
    refused = [event[0] for event in events(database) if event[1] == "refused"]
    assert refused == [kind]


def test_a_browser_is_known_only_for_the_accounts_that_it_signed_in_to(
    app: Router, browser: TestApp, database: Database
) -> None:
    add_account(database)
    add_account(database, BERTA)
    sign_in(browser, BERTA)
    browser.get("/account").form.submit()
    for number in range(12):
        try_at(app, ANNA, number=number + 2)
    assert sign_in(browser, ANNA).status_int == 429
    assert sign_in(browser, BERTA).status_int == 303


def test_a_reset_stays_open_and_lets_its_browser_sign_in(
    app: Router, database: Database, mailbox: Mailbox
) -> None:
    add_account(database)
    for number in range(12):
        try_at(app, ANNA, number=number + 2)
    owner = another_browser(app, REMOTE_ADDR=network(100))
    assert sign_in(owner).status_int == 429
    assert forgot_password(owner).status_int == 303
    form = owner.get(mailbox.link(mailbox.latest(to=ANNA))).form
    form["password"] = ANOTHER_PASSWORD
    form.submit(status=303)
    assert sign_in(owner, password=ANOTHER_PASSWORD).status_int == 303


def test_a_thousand_wrong_passwords_close_sign_in_for_unknown_browsers(
    app: Router, browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database)
    sign_in(browser)
    browser.get("/account").form.submit()
    for _ in range(1_000):
        limits.use(app.registry, FAILURES_OF_ALL, "", clock())
    assert try_at(app, BERTA, number=1) == 429
    assert sign_in(browser).status_int == 303
    clock.advance(5 * MINUTE)
    assert try_at(app, BERTA, number=1) == 422


def test_right_passwords_do_not_count_for_all(
    app: Router, database: Database, clock: Clock
) -> None:
    add_account(database)
    for _ in range(999):
        limits.use(app.registry, FAILURES_OF_ALL, "", clock())
    for number in range(3):
        assert try_at(app, ANNA, number=number, password=PASSWORD) == 303
    assert try_at(app, ANNA, number=5) == 422
    assert try_at(app, ANNA, number=6) == 429


@pytest.mark.parametrize("act", [sign_up, forgot_password])
def test_a_network_signs_up_and_forgets_twenty_times_an_hour(
    app: Router, database: Database, clock: Clock, act: object
) -> None:
    add_account(database)
    statuses = [
        act(another_browser(app), f"person{number}@example.org").status_int  # type: ignore[operator]
        for number in range(19)
    ]
    statuses.append(act(another_browser(app), ANNA).status_int)  # type: ignore[operator]
    assert statuses == [303] * 20
    for address in (ANNA, "stranger@example.org"):
        assert act(another_browser(app), address).status_int == 429  # type: ignore[operator]
    assert act(another_browser(app, REMOTE_ADDR=network(1)), ANNA).status_int == 303  # type: ignore[operator]
    clock.advance(60 * MINUTE)
    assert act(another_browser(app), ANNA).status_int == 303  # type: ignore[operator]


@pytest.mark.parametrize("path", ["/confirm/x", "/reset-password/x", "/account/email/x"])
def test_a_network_opens_sixty_pages_of_links_a_minute(
    browser: TestApp, clock: Clock, path: str
) -> None:
    statuses = [browser.get(path, expect_errors=True).status_int for _ in range(61)]
    assert statuses == [404] * 60 + [429]
    clock.advance(MINUTE)
    browser.get(path, status=404)


def test_the_numbers_are_those_of_the_standard() -> None:
    numbers = {
        limit.name: (limit.count, limit.period, limit.then)
        for limit in vars(rate_limits).values()
        if isinstance(limit, limits.Limit)
    }
    assert numbers["sign-in"] == (30, MINUTE, None)
    assert numbers["sign-up"] == (20, 60 * MINUTE, None)
    assert numbers["reset request"] == (20, 60 * MINUTE, None)
    assert numbers["token page"] == (60, MINUTE, None)
    assert numbers["failures of address"] == (10, 15 * MINUTE, MINUTE)
    assert numbers["failures of all"] == (1_000, 5 * MINUTE, None)
    assert numbers["codes"] == (5, 15 * MINUTE, None)


def test_while_the_database_is_away_the_process_counts_for_itself(
    app: Router, browser: TestApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = browser.get("/sign-in").form
    form["email"], form["password"] = ANNA, PASSWORD
    app.registry.database.dispose()
    monkeypatch.setattr(limits, "_counting", _away)
    statuses = [form.submit(expect_errors=True).status_int for _ in range(12)]
    assert statuses == [422] * 10 + [429] * 2


def _away(registry: object) -> object:
    raise OperationalError("", {}, Exception("the database is away"))
