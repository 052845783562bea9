"""Turning the second factor on and off, and its recovery codes."""

import base64
import hmac
import logging
import re
from datetime import timedelta
from hashlib import sha256
from typing import Any

import pyotp
import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts import recovery_codes, second_factor
from app.accounts.models import RecoveryCode, SecondFactor, SignInSession
from app.database.engine import Database
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    PASSWORD,
    add_account,
    heading,
    is_signed_in,
    post,
    sign_in,
    summary,
)
from tests.support.application import MakeApp
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.rows import count
from tests.support.second_factor import (
    PAGE,
    STEP,
    Phone,
    enter,
    events,
    sign_in_with_code,
    start_set_up,
    turn_on,
)

QR = f"{PAGE}/qr.svg"
OFF = f"{PAGE}/turn-off"
NEW_CODES = f"{PAGE}/recovery-codes"


@pytest.fixture(autouse=True)
def anna(database: Database) -> int:
    """Anna has an account."""
    return add_account(database)


@pytest.fixture
def browser(app: Router, anna: int) -> TestApp:
    """Anna's browser, in which she is signed in."""
    browser = another_browser(app)
    sign_in(browser)
    return browser


def rows(database: Database, model: type[Any]) -> list[Any]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(model)))


def test_it_is_turned_on_with_a_code_and_its_owner_is_told(
    browser: TestApp, database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    assert heading(browser.get(PAGE)) == "Second step at sign-in"
    phone = start_set_up(browser, clock)
    assert len(phone.key) == 32
    page = post(browser, PAGE, code=phone.code())
    assert heading(page) == "Your recovery codes"
    assert page.headers["Cache-Control"] == "no-store"
    assert "On since" in browser.get(PAGE).text
    email = mailbox.latest()
    assert (email.kind, email.subject) == ("second_factor_changed", "Second step turned on")
    assert phone.key not in (email.text_body or "")
    (session,) = rows(database, SignInSession)
    assert session.second_factor_at == clock()
    assert events(database)[-1] == ("second_factor_on", "ok")


def test_nothing_is_on_before_a_code_proves_the_app(
    app: Router, browser: TestApp, database: Database, clock: Clock
) -> None:
    phone = start_set_up(browser, clock)
    page = post(browser, PAGE, code=phone.code(-2))
    assert page.status_int == 422
    assert summary(page)[0].startswith("This code is not correct")
    assert phone.key in page.text.replace(" ", "")
    assert events(database)[-1] == ("code", "failed")
    laptop = another_browser(app)
    sign_in(laptop)
    assert is_signed_in(laptop)


def test_turning_it_on_ends_every_other_session_and_gives_this_one_a_new_id(
    app: Router, browser: TestApp, clock: Clock
) -> None:
    laptop, thief = another_browser(app), another_browser(app)
    sign_in(laptop)
    thief.set_cookie("pillarbox-session", browser.cookies["pillarbox-session"])
    turn_on(browser, clock)
    assert is_signed_in(browser)
    assert not is_signed_in(laptop)
    assert not is_signed_in(thief)


def test_the_qr_code_holds_the_key_and_no_cache_keeps_it(browser: TestApp, clock: Clock) -> None:
    browser.get(QR, status=404)
    phone = start_set_up(browser, clock)
    page = browser.get(PAGE)
    picture = page.html.select_one("img.qr-code")
    assert picture["alt"]
    assert picture["src"] == QR
    svg = browser.get(QR)
    assert svg.content_type == "image/svg+xml"
    assert svg.headers["Cache-Control"] == "no-store"
    assert "<title>" in svg.text
    assert re.search(r'fill="#fff(fff)?"', svg.text), "the quiet zone is white"
    link = second_factor.app_link(phone.key, site_name="Shop", address=ANNA)
    parsed = pyotp.parse_uri(link)
    assert (parsed.secret, parsed.issuer, parsed.name) == (phone.key, "Shop", ANNA)
    turn_on(browser, clock)
    browser.get(QR, status=404)


@pytest.mark.parametrize("path", [PAGE, QR, OFF, NEW_CODES])
def test_the_pages_ask_for_the_password_again(
    app: Router, browser: TestApp, clock: Clock, path: str
) -> None:
    clock.advance(timedelta(minutes=10))
    assert "/account/confirm" in browser.get(path, status=303).location
    stranger = another_browser(app)
    assert "/sign-in" in stranger.get(path, status=303).location


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_looking_at_the_pages_changes_nothing(
    browser: TestApp, database: Database, method: str
) -> None:
    for path in (PAGE, OFF, NEW_CODES):
        browser.request(path, method=method)
    assert count(database, SecondFactor) == 0


def test_a_set_up_shows_one_key_until_an_hour_has_passed(browser: TestApp, clock: Clock) -> None:
    form = browser.get(PAGE).forms[0]
    first = start_set_up(browser, clock)
    page = form.submit().follow()
    assert first.key in page.text.replace(" ", ""), "a second start keeps the key"
    clock.advance(timedelta(hours=1))
    post(browser, "/account/confirm", password=PASSWORD)
    assert first.key not in browser.get(PAGE).text.replace(" ", "")
    assert start_set_up(browser, clock).key != first.key


def test_of_four_starts_at_once_one_counts(browser: TestApp, database: Database) -> None:
    form = browser.get(PAGE).forms[0]
    cookies = dict(browser.cookies)
    pages = at_once(
        lambda _: with_cookies(browser, cookies).post(PAGE, form.submit_fields()).follow(), range(4)
    )
    assert count(database, SecondFactor) == 1
    keys = {page.html.select_one(".key code").get_text() for page in pages}
    assert len(keys) == 1


def test_of_four_confirmations_at_once_one_wins(
    browser: TestApp, database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    phone = start_set_up(browser, clock)
    form = browser.get(PAGE).forms[0]
    form["code"] = phone.code()
    cookies = dict(browser.cookies)
    pages = at_once(
        lambda _: with_cookies(browser, cookies).post(PAGE, form.submit_fields()), range(4)
    )
    assert sorted(page.status_int for page in pages) == [200, 303, 303, 303]
    assert len(rows(database, RecoveryCode)) == 10
    assert len(mailbox.all(kind="second_factor_changed")) == 1
    assert events(database).count(("second_factor_on", "ok")) == 1


def with_cookies(browser: TestApp, cookies: dict[str, str]) -> TestApp:
    """A browser that shares the cookies, as a second tab does."""
    tab = another_browser(browser.app)
    for name, value in cookies.items():
        tab.set_cookie(name, value)
    return tab


def test_it_is_turned_off_with_a_code(
    app: Router, browser: TestApp, database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    phone = turn_on(browser, clock)
    laptop = another_browser(app)
    sign_in_with_code(laptop, phone.code())
    assert post(browser, OFF, code="000000").status_int == 422
    assert count(database, SecondFactor) == 1
    clock.advance(STEP)
    page = post(browser, OFF, code=phone.code()).follow()
    assert "The second step is off." in page.text
    assert (count(database, SecondFactor), count(database, RecoveryCode)) == (0, 0)
    assert mailbox.latest().subject == "Second step turned off"
    assert not is_signed_in(laptop)
    (session,) = rows(database, SignInSession)
    assert session.second_factor_at is None, "nobody has proved a factor that does not exist"
    assert events(database)[-1] == ("second_factor_off", "ok")
    sign_in(laptop)
    assert is_signed_in(laptop)


def test_it_is_turned_off_with_a_recovery_code(browser: TestApp, clock: Clock) -> None:
    phone = turn_on(browser, clock)
    assert post(browser, OFF, code=phone.recovery_codes[3]).status_int == 303


def test_new_recovery_codes_take_the_place_of_the_old_ones(
    app: Router, browser: TestApp, database: Database, clock: Clock, mailbox: Mailbox
) -> None:
    phone = turn_on(browser, clock)
    page = post(browser, NEW_CODES, code=phone.code())
    codes = [code.get_text() for code in page.html.select(".recovery-codes code")]
    assert len(set(codes) - set(phone.recovery_codes)) == 10
    assert page.headers["Cache-Control"] == "no-store"
    assert mailbox.latest().subject == "New recovery codes created"
    assert events(database)[-1] == ("new_recovery_codes", "ok")
    laptop = another_browser(app)
    assert sign_in_with_code(laptop, phone.recovery_codes[0]).status_int == 422
    assert enter(laptop, codes[0]).status_int == 303


def test_without_a_second_factor_its_other_pages_lead_to_the_first(browser: TestApp) -> None:
    for path in (OFF, NEW_CODES):
        assert browser.get(path, status=303).location.endswith(PAGE)


@on_sqlite
def test_a_recovery_code_has_120_random_bits_and_is_stored_as_a_digest(
    browser: TestApp, database: Database, clock: Clock
) -> None:
    phone = turn_on(browser, clock)
    for code in phone.recovery_codes:
        assert re.fullmatch(r"[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}", code)
    digests = {row.digest for row in rows(database, RecoveryCode)}
    expected = {sha256(code.replace("-", "").encode()).digest() for code in phone.recovery_codes}
    assert digests == expected
    assert recovery_codes.LENGTH * 5 == 120


@on_sqlite
def test_a_stolen_database_cannot_make_a_code(
    app: Router, browser: TestApp, database: Database, clock: Clock
) -> None:
    phone = turn_on(browser, clock)
    (row,) = rows(database, SecondFactor)
    key = base64.b32decode(phone.key)
    stored = [row.nonce, row.key_check]
    # No key that the rows alone give, whole or in part, is the app's.
    guesses = [*stored, *(sha256(each).digest() for each in stored)]
    guesses += [hmac.digest(b"", b"second factor" + row.nonce, "sha256")]
    assert key not in [guess[: len(key)] for guess in guesses]
    # With the secret it is.
    secret = app.registry.pillarbox.secret.encode()
    assert hmac.digest(secret, b"second factor" + row.nonce, "sha256")[:20] == key


def test_a_changed_secret_is_told_apart_from_a_wrong_code(
    browser: TestApp,
    clock: Clock,
    make_app: MakeApp,
    settings_values: dict[str, str],
    database: Database,
    caplog: pytest.LogCaptureFixture,
) -> None:
    phone = turn_on(browser, clock)
    app = make_app(settings_values | {"secret": "another secret, which is as long as the first"})
    laptop = another_browser(app)
    with caplog.at_level(logging.ERROR):
        page = sign_in_with_code(laptop, phone.code())
    assert page.status_int == 422
    assert "do not work at the moment" in summary(page)[0]
    assert "help@example.org" in summary(page)[0]
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "setting secret has changed: account=1" in record.getMessage()
    assert ANNA not in record.getMessage()
    # The recovery codes do not depend on the secret.
    assert enter(laptop, phone.recovery_codes[0]).status_int == 303
    assert "do not work at the moment" in laptop.get(PAGE).text
    assert post(laptop, OFF, code=phone.recovery_codes[1]).status_int == 303
    assert turn_on(laptop, clock).key != phone.key


def test_five_wrong_codes_hold_the_sixth_back_here_too(browser: TestApp, clock: Clock) -> None:
    phone = turn_on(browser, clock)
    for _ in range(5):
        assert post(browser, OFF, code="123").status_int == 422
    page = post(browser, OFF, code=phone.code())
    assert page.status_int == 429
    assert page.headers["Retry-After"] == str(15 * 60)


def test_of_four_uses_of_one_step_at_once_one_wins(
    browser: TestApp, database: Database, clock: Clock
) -> None:
    """All have found that the step was not used yet, before any of them uses it."""
    turn_on(browser, clock)
    (factor,) = rows(database, SecondFactor)

    def use(step: int) -> bool:
        with database.transaction(write=True) as session:
            return second_factor.use_step(session, factor, step)

    step = factor.last_step + 1
    assert sorted(at_once(use, [step] * 4)) == [False, False, False, True]
    assert not use(step - 1)


def test_of_four_renewals_at_once_ten_codes_are_left(
    browser: TestApp, database: Database, clock: Clock, anna: int
) -> None:
    turn_on(browser, clock)

    def renew(_: int) -> list[str]:
        with database.transaction(write=True) as session:
            return recovery_codes.renew(session, anna)

    at_once(renew, range(4))
    assert count(database, RecoveryCode) == 10


@on_sqlite
def test_the_key_of_one_account_is_not_the_key_of_another(
    app: Router, browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database, "berta@example.org")
    other = another_browser(app)
    sign_in(other, "berta@example.org")
    assert start_set_up(browser, clock).key != start_set_up(other, clock).key


def test_a_code_is_right_one_step_early_and_one_step_late(clock: Clock) -> None:
    phone = Phone(pyotp.random_base32(), clock)
    factor = SecondFactor(account_id=1, nonce=b"n" * 32)
    key = second_factor._derive_key("secret", factor.nonce)
    factor.key_check = second_factor._check_of(key)
    phone.key = base64.b32encode(key).decode()
    present = int(clock().timestamp()) // 30
    for steps, found in {-2: None, -1: -1, 0: 0, 1: 1, 2: None}.items():
        step = second_factor.step_of(factor, "secret", phone.code(steps), clock())
        assert step == (None if found is None else present + found)
