"""Entering the password again before a change (STANDARDS B9)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import Account, AccountEvent
from app.accounts.permissions import RECENT
from app.database.engine import Database
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    heading,
    sign_in,
    summary,
)
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.rows import count

PAGES = [
    "/account/email",
    "/account/sessions",
    "/account/delete",
    "/account/export",
    "/account/second-factor",
]
WITH_A_SECOND_FACTOR = [
    "/account/second-factor/qr.svg",
    "/account/second-factor/turn-off",
    "/account/second-factor/recovery-codes",
]
"""``test_second_factor`` tests these, because they need more than a customer who is signed in."""
SESSION = "pillarbox-session"


@pytest.fixture(autouse=True)
def anna(database: Database, browser: TestApp) -> int:
    """Anna has just signed in."""
    anna = add_account(database)
    sign_in(browser)
    return anna


@pytest.mark.parametrize("path", PAGES)
def test_after_ten_minutes_the_password_comes_first(
    browser: TestApp, clock: Clock, path: str
) -> None:
    clock.advance(timedelta(minutes=9, seconds=59))
    browser.get(path, status=200)
    clock.advance(timedelta(seconds=1))
    before = browser.cookies[SESSION]
    page = browser.get(f"{path}?from=email", status=303).follow()
    assert heading(page) == "Confirm your password"
    page.form["password"] = PASSWORD
    answer = page.form.submit(status=303)
    assert answer.location == f"http://localhost{path}?from=email"
    assert browser.cookies[SESSION] != before
    assert answer.follow(status=200)
    stolen = browser.cookies[SESSION]
    browser.set_cookie(SESSION, before)
    browser.get("/account", status=303)
    browser.set_cookie(SESSION, stolen)
    browser.get("/account", status=200)


def test_a_form_that_was_open_too_long_changes_nothing_and_comes_back(
    browser: TestApp, clock: Clock
) -> None:
    form = browser.get("/account/email").form
    form["new_email"] = "new@example.org"
    clock.advance(timedelta(minutes=10))
    page = form.submit(status=303).follow()
    assert heading(page) == "Confirm your password"
    page.form["password"] = PASSWORD
    assert heading(page.form.submit().follow()) == "Change your email address"


def test_a_wrong_password_is_refused_and_recorded(
    browser: TestApp, clock: Clock, database: Database
) -> None:
    clock.advance(timedelta(minutes=10))
    page = browser.get("/account/email").follow()
    page.form["password"] = ANOTHER_PASSWORD
    page = page.form.submit(status=422)
    assert summary(page) == ["This password is not correct. Check it and try again."]
    assert browser.get("/account/email", status=303)
    with database.transaction(write=False) as session:
        event = session.scalars(select(AccountEvent).order_by(AccountEvent.id.desc())).first()
    assert event is not None
    assert (event.kind, event.outcome) == ("password_check", "failed")


def test_guessing_ends_after_ten_tries(browser: TestApp, clock: Clock) -> None:
    clock.advance(timedelta(minutes=10))
    form = browser.get("/account/email").follow().form
    for _ in range(10):
        form["password"] = ANOTHER_PASSWORD
        form.submit(status=422)
    form["password"] = PASSWORD
    page = form.submit(status=429)
    assert page.headers["Retry-After"] == "60"
    assert heading(page) == "Too many attempts"
    clock.advance(timedelta(minutes=1))
    form.submit(status=303)


def test_next_leads_to_this_site_only(browser: TestApp) -> None:
    page = browser.get("/account/confirm?next=//evil.example/")
    page.form["password"] = PASSWORD
    assert page.form.submit(status=303).location == "http://localhost/account"


def test_the_password_of_another_account_does_not_count(
    browser: TestApp, database: Database, clock: Clock
) -> None:
    add_account(database, "berta@example.org")
    clock.advance(timedelta(minutes=10))
    page = browser.get("/account/email").follow()
    assert ANNA in page.text
    assert "email" not in page.form.fields


def test_every_page_that_needs_a_recent_password_is_among_those_tested_here(app: Router) -> None:
    introspector = app.registry.introspector
    routes = {
        view["introspectable"]["route_name"]
        for permission in introspector.get_category("permissions")
        if permission["introspectable"]["value"] == RECENT
        for view in introspector.get_category("views")
        if view["introspectable"] in permission["related"]
    }
    patterns = {
        route["introspectable"]["pattern"]
        for route in introspector.get_category("routes")
        if route["introspectable"]["name"] in routes
    }
    assert patterns == {*PAGES, *WITH_A_SECOND_FACTOR}


@pytest.mark.parametrize("path", PAGES)
def test_a_form_that_was_open_too_long_is_not_taken(
    browser: TestApp, clock: Clock, database: Database, path: str
) -> None:
    token = browser.get("/account").forms[0]["csrf_token"].value
    clock.advance(timedelta(minutes=10))
    fields = {"csrf_token": token, "password": PASSWORD, "new_email": "b@example.org"}
    answer = browser.post(path, fields, status=303)
    assert answer.location.endswith("/account/confirm?next=" + path.replace("/", "%2F"))
    assert count(database, AccountEvent) == 1
    assert count(database, Account) == 1


def test_a_form_that_is_sent_twice_does_not_sign_the_customer_out(
    app: Router, browser: TestApp, clock: Clock
) -> None:
    clock.advance(timedelta(minutes=10))
    form = browser.get("/account/email").follow().form
    form["password"] = PASSWORD
    fields = form.submit_fields()
    copies = []
    for _ in range(2):
        copy = another_browser(app)
        for name, value in browser.cookies.items():
            copy.set_cookie(name, value)
        copies.append(copy)
    at_once(lambda copy: copy.post("/account/confirm", fields, expect_errors=True), copies)
    signed_in = [copy.get("/account", expect_errors=True).status_int for copy in copies]
    assert 200 in signed_in
    # The one that came later keeps the old id, and no cookie that opens nothing.
    late = copies[signed_in.index(303)] if 303 in signed_in else None
    assert late is None or late.cookies[SESSION].strip('"') == browser.cookies[SESSION]
