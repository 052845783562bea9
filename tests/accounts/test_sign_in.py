"""Signing in and out, and sessions (STANDARDS B3, B4, B8, B11)."""

from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts import passwords
from app.accounts.models import Account, SignInSession
from app.database.engine import Database
from app.mail.delivery.worker import Delivery
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    heading,
    is_signed_in,
    post,
    recorded_statements,
    sign_in,
    summary,
)
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.passwords import REAL_HASHER

SESSION = "pillarbox-session"


def sessions(database: Database) -> list[SignInSession]:
    with database.transaction(write=False) as session:
        return list(session.scalars(select(SignInSession)))


def sign_out(browser: TestApp) -> None:
    browser.get("/account").forms[0].submit(status=303)


def test_a_customer_signs_in_and_sees_the_account(browser: TestApp, database: Database) -> None:
    add_account(database)
    page = sign_in(browser, " ANNA@example.org ").follow()
    assert heading(page) == "Your account"
    assert ANNA in page.text
    assert "January 1, 2026" in page.text


def test_a_wrong_password_and_an_unknown_address_get_the_same_page(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    wrong = sign_in(browser, ANNA, ANOTHER_PASSWORD)
    unknown = sign_in(browser, "berta@example.org", PASSWORD)
    assert wrong.status_int == unknown.status_int == 422
    assert wrong.text.replace(ANNA, "") == unknown.text.replace("berta@example.org", "")
    assert len(summary(wrong)) == 1
    assert wrong.forms[0]["email"].value == ANNA
    assert wrong.forms[0]["password"].value == ""
    assert sessions(database) == []


def test_a_wrong_password_and_an_unknown_address_run_the_same_statements(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    form = browser.get("/sign-in").forms[0]
    statements = []
    for address in (ANNA, "berta@example.org"):
        form["email"], form["password"] = address, ANOTHER_PASSWORD
        with recorded_statements(database) as recorded:
            form.submit(status=422)
        statements.append(recorded)
    assert statements[0] == statements[1]


def test_a_sign_up_that_is_not_confirmed_cannot_sign_in(browser: TestApp) -> None:
    post(browser, "/sign-up", email=ANNA, password=PASSWORD)
    assert sign_in(browser).status_int == 422


def test_empty_fields_are_named(browser: TestApp) -> None:
    page = sign_in(browser, "", "")
    assert page.status_int == 422
    assert summary(page) == ["Enter your email address.", "Enter your password."]


def test_the_hash_is_renewed_when_its_parameters_are_old(
    browser: TestApp, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_hasher", REAL_HASHER)
    old = PasswordHasher(time_cost=1, memory_cost=8_192, parallelism=1).hash(PASSWORD)
    account_id = add_account(database, password_hash=old)
    assert sign_in(browser).status_int == 303
    with database.transaction(write=False) as session:
        assert "m=19456,t=2,p=1" in session.get_one(Account, account_id).password_hash
    assert sign_in(another_browser(browser.app)).status_int == 303


def test_the_cookie_is_out_of_reach_of_scripts_and_its_id_is_not_in_the_database(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    cookie = next(
        value
        for value in sign_in(browser).headers.getall("Set-Cookie")
        if value.startswith(SESSION)
    )
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Path=/" in cookie
    assert "Domain" not in cookie
    (row,) = sessions(database)
    assert len(row.digest) == 32
    assert browser.cookies[SESSION].encode() not in row.digest


def test_over_tls_the_cookies_carry_the_host_prefix(
    make_app: object, settings_values: dict[str, str]
) -> None:
    app = make_app(settings_values | {"site.base_url": "https://shop.example"})  # type: ignore[operator]
    add_account(app.registry.database)
    browser = TestApp(app, extra_environ={"HTTP_HOST": "shop.example", "wsgi.url_scheme": "https"})
    cookies = sign_in(browser).headers.getall("Set-Cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {
        "__Host-pillarbox-visitor",
        "__Host-pillarbox-session",
    }
    assert all("; secure" in cookie for cookie in cookies)
    page = browser.get("/account", status=200)
    assert page.headers["Strict-Transport-Security"].startswith("max-age=")


def test_signing_in_gives_a_new_session_and_a_new_form_token(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    form = browser.get("/sign-in").forms[0]
    before = form["csrf_token"].value
    sign_in(browser)
    first = browser.cookies[SESSION]
    assert browser.get("/account").forms[0]["csrf_token"].value != before

    token = browser.get("/account").forms[0]["csrf_token"].value
    fields = {"email": ANNA, "password": PASSWORD, "csrf_token": token}
    browser.post("/sign-in", fields, status=303)
    assert browser.cookies[SESSION] != first
    assert len(sessions(database)) == 1


def test_signing_out_kills_the_session_on_the_server(browser: TestApp, database: Database) -> None:
    add_account(database)
    sign_in(browser)
    stolen = browser.cookies[SESSION]
    sign_out(browser)
    assert sessions(database) == []
    browser.set_cookie(SESSION, stolen)
    assert not is_signed_in(browser)


def test_signing_out_ends_this_session_only(
    app: Router, browser: TestApp, database: Database
) -> None:
    add_account(database)
    phone = another_browser(app)
    sign_in(browser)
    sign_in(phone)
    sign_out(browser)
    assert not is_signed_in(browser)
    assert is_signed_in(phone)


def test_a_session_ends_after_fourteen_idle_days(
    browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database)
    sign_in(browser)
    clock.advance(timedelta(days=13, hours=23))
    assert is_signed_in(browser)
    clock.advance(timedelta(days=13, hours=23))
    assert is_signed_in(browser)
    clock.advance(timedelta(days=14))
    assert not is_signed_in(browser)


def test_a_session_ends_after_thirty_days_however_much_it_is_used(
    browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database)
    sign_in(browser)
    for _ in range(29):
        clock.advance(timedelta(days=1))
        assert is_signed_in(browser)
    clock.advance(timedelta(days=1))
    assert not is_signed_in(browser)


def test_the_last_use_is_written_once_an_hour(
    browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database)
    sign_in(browser)
    signed_in_at = clock()
    clock.advance(timedelta(minutes=59))
    browser.get("/account")
    assert sessions(database)[0].last_used_at == signed_in_at
    clock.advance(timedelta(minutes=1))
    browser.get("/account")
    assert sessions(database)[0].last_used_at == clock()


def test_housekeeping_deletes_sessions_that_ended(
    app: Router, browser: TestApp, database: Database, clock: Clock, delivery: Delivery
) -> None:
    add_account(database)
    sign_in(browser)
    clock.advance(timedelta(days=31))
    sign_in(another_browser(app))
    assert len(sessions(database)) == 2
    delivery._maintenance.expiry.run_due_tasks()
    assert len(sessions(database)) == 1


def test_a_session_of_staff_ends_after_an_idle_hour_and_after_twelve_hours(
    app: Router, browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database, is_staff=True)
    sign_in(browser)
    for _ in range(14):
        clock.advance(timedelta(minutes=50))
        assert is_signed_in(browser)
    clock.advance(timedelta(minutes=20))
    assert not is_signed_in(browser)
    sign_in(browser)
    clock.advance(timedelta(hours=1))
    assert not is_signed_in(browser)


@pytest.mark.parametrize("value", ["", "x", "x" * 5_000, "\x7f"])
def test_a_made_up_session_id_signs_nobody_in(browser: TestApp, value: str) -> None:
    page = browser.get("/account", headers={"Cookie": f"{SESSION}={value}"}, status=303)
    assert "/sign-in" in page.location


def test_a_page_that_needs_an_account_asks_to_sign_in_and_comes_back(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    page = browser.get("/account?from=email", status=303).follow()
    assert heading(page) == "Sign in"
    form = page.forms[0]
    form["email"], form["password"] = ANNA, "wrong " + PASSWORD
    form = form.submit(status=422).forms[0]
    form["password"] = PASSWORD
    assert form.submit().location == "http://localhost/account?from=email"


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example"])
def test_signing_in_leads_to_no_other_site(
    browser: TestApp, database: Database, elsewhere: str
) -> None:
    add_account(database)
    form = browser.get("/sign-in", {"next": elsewhere}).forms[0]
    form["email"], form["password"] = ANNA, PASSWORD
    assert form.submit().location == "http://localhost/account"


def test_what_a_customer_sees_is_not_stored_by_the_browser(
    browser: TestApp, database: Database
) -> None:
    add_account(database)
    response = sign_in(browser)
    assert response.headers["Cache-Control"] == "no-store"
    assert response.follow().headers["Cache-Control"] == "no-store"
