"""What staff see of customers' accounts, and what they can do to them."""

from datetime import timedelta

import pytest
from lxml.html import fromstring
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp, TestResponse

from app.accounts.models import Account, AccountEvent, Token
from app.database.engine import Database
from app.mail.outbox.tables import State
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    forgot_password,
    heading,
    is_signed_in,
    post,
    sign_in,
    summary,
)
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox, kind, put
from tests.support.rows import count
from tests.support.second_factor import Phone, events, sign_in_with_code, turn_on

SAM = "sam@example.org"
PATHS = ["/staff", "/staff/accounts/1", "/staff/accounts/999"]


@pytest.fixture
def anna(database: Database) -> int:
    """Anna, a customer."""
    return add_account(database)


@pytest.fixture
def sam(database: Database, anna: int) -> int:
    """Sam, a member of staff without a second factor so far."""
    return add_account(database, SAM, is_staff=True)


@pytest.fixture
def staff(app: Router, sam: int, clock: Clock) -> TestApp:
    """Sam's browser, signed in with the second factor."""
    browser = another_browser(app)
    sign_in(browser, SAM)
    turn_on(browser, clock)
    return browser


EVERY_PATH = [
    *PATHS,
    "/staff/emails",
    "/staff/emails/1",
    "/staff/emails/1/html",
    "/staff/emails/all/resend",
    "/staff/suppressions",
    "/staff/actions",
    "/staff/no-such-page",
]


@on_sqlite
@pytest.mark.usefixtures("sam")
def test_a_customers_request_finds_nothing_whatever_its_method(browser: TestApp) -> None:
    sign_in(browser)
    for method in ("GET", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"):
        for path in EVERY_PATH:
            found = browser.request(path, method=method, expect_errors=True)
            assert found.status_int == 404, (method, path)


def act(staff: TestApp, anna: int, name: str) -> TestResponse:
    """Press the button of an act on Anna's page."""
    page = staff.get(f"/staff/accounts/{anna}")
    (form,) = [
        form for form in page.forms.values() if "act" in form.fields and form["act"].value == name
    ]
    return form.submit(expect_errors=True)


@pytest.mark.parametrize("path", PATHS)
def test_for_everybody_else_the_pages_do_not_exist(
    app: Router, browser: TestApp, sam: int, clock: Clock, path: str
) -> None:
    missing = browser.get("/no-such-page", status=404)
    stranger = browser.get(path, status=404)
    assert heading(stranger) == heading(missing)
    sign_in(browser)
    browser.get(path, status=404)
    turn_on(browser, clock)
    browser.get(path, status=404)
    # Staff with a password alone.
    theirs = another_browser(app)
    sign_in(theirs, SAM)
    theirs.get(path, status=404)
    token = theirs.get("/account").forms[0]["csrf_token"].value
    theirs.post("/staff/accounts/1", {"act": "end_sessions", "csrf_token": token}, status=404)


def test_who_is_no_longer_staff_is_out_at_once(
    staff: TestApp, sam: int, database: Database
) -> None:
    staff.get("/staff", status=200)
    with database.transaction(write=True) as session:
        session.execute(update(Account).where(Account.id == sam).values(is_staff=False))
    staff.get("/staff", status=404)


def test_turning_the_second_factor_off_closes_the_staff_pages(
    app: Router, sam: int, clock: Clock
) -> None:
    browser = another_browser(app)
    sign_in(browser, SAM)
    phone = turn_on(browser, clock)
    browser.get("/staff", status=200)
    post(browser, "/account/second-factor/turn-off", code=phone.code())
    assert is_signed_in(browser)
    browser.get("/staff", status=404)


def test_the_navigation_leads_to_them_for_staff_only(
    app: Router, staff: TestApp, browser: TestApp
) -> None:
    assert staff.get("/").html.select_one("nav a[href='/staff']")
    sign_in(browser)
    assert not browser.get("/").html.select_one("nav a[href='/staff']")


def test_the_account_page_tells_staff_that_the_second_factor_is_missing(
    app: Router, browser: TestApp, staff: TestApp, database: Database
) -> None:
    add_account(database, "new@example.org", is_staff=True)
    sign_in(browser, "new@example.org")
    assert "You are one of our staff" in browser.get("/account").text
    assert "You are one of our staff" not in staff.get("/account").text


def test_no_search_engine_and_no_cache_keeps_a_page(staff: TestApp, anna: int) -> None:
    for path in ("/staff", f"/staff/accounts/{anna}"):
        page = staff.get(path)
        assert page.headers["X-Robots-Tag"] == "noindex"
        assert page.headers["Cache-Control"] == "no-store"
    assert "/staff" not in staff.get("/robots.txt").text


def test_a_customer_is_found_by_address_and_the_address_is_in_no_url(
    staff: TestApp, anna: int
) -> None:
    page = post(staff, "/staff", email=" ANNA@example.org ")
    assert page.location.endswith(f"/staff/accounts/{anna}")
    assert ANNA in page.follow().text
    page = post(staff, "/staff", email="nobody@example.org")
    assert page.status_int == 422
    assert summary(page) == ["There is no account with this address."]


def test_the_page_shows_sessions_in_words_and_events(
    app: Router, staff: TestApp, anna: int
) -> None:
    phone = another_browser(app, HTTP_USER_AGENT="Mozilla/5.0 (Android 15) Firefox/140.0")
    sign_in(phone, password=ANOTHER_PASSWORD)
    sign_in(phone)
    page = staff.get(f"/staff/accounts/{anna}")
    assert "Firefox on Android" in page.text
    assert "Wrong password at sign-in" in page.text
    assert "127.0.0.1" not in page.text


def test_staff_end_all_sessions_and_the_customer_sees_it(
    app: Router, staff: TestApp, anna: int, sam: int, database: Database
) -> None:
    phone, laptop = another_browser(app), another_browser(app)
    sign_in(phone)
    sign_in(laptop)
    before = len(events(database, anna))
    page = act(staff, anna, "end_sessions").follow()
    assert "All sessions of this account have ended." in page.text
    assert not is_signed_in(phone)
    assert not is_signed_in(laptop)
    assert events(database, anna)[before:] == [("session_end", "ok")]
    assert last_staff_id(database) == sam
    sign_in(phone)
    assert "by our staff" in phone.get("/account/sessions").text


def test_staff_start_a_reset_and_never_see_its_link(
    app: Router, staff: TestApp, anna: int, sam: int, database: Database, mailbox: Mailbox
) -> None:
    before = len(events(database, anna))
    page = act(staff, anna, "send_reset").follow()
    assert "The reset email is on its way" in page.text
    email = mailbox.latest()
    assert (email.kind, email.recipient) == ("password_reset", ANNA)
    link = mailbox.link(email, "/reset-password/")
    assert link.rpartition("/")[2] not in page.text
    assert "/reset-password/" not in page.text
    assert events(database, anna)[before:] == [("reset_request", "ok")]
    assert last_staff_id(database) == sam
    # The customer finishes it.
    browser = another_browser(app)
    post(browser, link, password=ANOTHER_PASSWORD)
    assert sign_in(browser, password=ANOTHER_PASSWORD).status_int == 303


def test_a_reset_that_the_limit_holds_back_is_refused_in_plain_words(
    staff: TestApp, anna: int, database: Database, mailbox: Mailbox
) -> None:
    for _ in range(5):
        act(staff, anna, "send_reset")
    sent, tokens, recorded = len(mailbox.all()), count(database, Token), events(database)
    page = act(staff, anna, "send_reset").follow()
    assert "No email was sent" in page.text
    assert "try again in 30 minutes" in page.text
    assert len(mailbox.all()) == sent
    assert count(database, Token) == tokens
    assert events(database) == [*recorded, ("reset_request", "refused")]


def test_strangers_do_not_use_up_the_resets_that_staff_start(
    browser: TestApp, staff: TestApp, anna: int, mailbox: Mailbox
) -> None:
    for _ in range(10):
        forgot_password(browser)
    act(staff, anna, "send_reset")
    assert mailbox.latest().state == "captured"


def test_acts_need_the_password_within_ten_minutes(
    staff: TestApp, anna: int, clock: Clock, database: Database
) -> None:
    page = staff.get(f"/staff/accounts/{anna}")
    clock.advance(timedelta(minutes=10))
    recorded = events(database)
    form = next(form for form in page.forms.values() if "act" in form.fields)
    page = form.submit(status=303)
    assert "/account/confirm" in page.location
    assert events(database) == recorded
    form = page.follow().forms[0]
    form["password"] = PASSWORD
    assert form.submit().location.endswith(f"/staff/accounts/{anna}")


def test_a_staff_session_ends_after_an_idle_hour_and_after_twelve(
    staff: TestApp, clock: Clock
) -> None:
    for _ in range(12):
        staff.get("/staff", status=200)
        clock.advance(timedelta(minutes=59))
    staff.get("/staff", status=200)
    clock.advance(timedelta(minutes=12))
    staff.get("/staff", status=404)


def test_an_idle_hour_ends_a_staff_session(staff: TestApp, clock: Clock) -> None:
    clock.advance(timedelta(hours=1))
    staff.get("/staff", status=404)


@pytest.mark.parametrize("path", ["/staff/accounts/999", "/staff/accounts/9999999999999999999"])
def test_an_account_that_does_not_exist_is_not_found(staff: TestApp, path: str) -> None:
    staff.get(path, status=404)


def test_an_unknown_act_does_nothing(staff: TestApp, anna: int, database: Database) -> None:
    recorded = events(database)
    token = staff.get("/staff").forms[0]["csrf_token"].value
    staff.post(f"/staff/accounts/{anna}", {"act": "x", "csrf_token": token}, status="4*")
    assert events(database) == recorded


def last_staff_id(database: Database) -> int | None:
    with database.transaction(write=False) as session:
        return session.scalars(
            select(AccountEvent.staff_id).order_by(AccountEvent.id.desc()).limit(1)
        ).one()


def test_after_the_phone_is_lost_staff_sign_in_with_a_recovery_code(
    app: Router, sam: int, clock: Clock
) -> None:
    browser = another_browser(app)
    sign_in(browser, SAM)
    phone: Phone = turn_on(browser, clock)
    laptop = another_browser(app)
    sign_in_with_code(laptop, phone.recovery_codes[0], SAM)
    laptop.get("/staff", status=200)


def test_the_first_page_names_a_kind_of_which_no_email_is_accepted(
    staff: TestApp,
    outbox: Outbox,
    clock: Clock,
    make_app: MakeApp,
    settings_values: dict[str, str],
) -> None:
    assert "No email was asked for." in staff.get("/staff").text
    put(outbox, outbox.write(1), State.SENT, sent_at=clock(), delivered_at=clock())
    put(outbox, outbox.write(2, of=kind("other")), State.FAILED)
    clock.advance(timedelta(minutes=20))
    counts = "asked for: 1 accepted: {0}"
    assert rows_of(staff.get("/staff")) == [
        f"note {counts.format(1)} {counts.format(1)}",
        f"other none accepted {counts.format(0)} {counts.format(0)}",
    ]
    # A service tells what was delivered.
    service = {"email.events": "postmark", "email.events_secret": "a secret of the webhook"}
    told = another_browser(make_app(settings_values | service))
    told.cookiejar = staff.cookiejar
    counts += " delivered: {0}"
    assert rows_of(told.get("/staff"))[0] == f"note {counts.format(1)} {counts.format(1)}"


def rows_of(page: TestResponse) -> list[str]:
    """The texts of the rows of the page's table."""
    text = page.text.replace("<br>", " ").replace("</th>", "</th> ").replace("</td>", "</td> ")
    rows = fromstring(text).iterfind(".//tbody/tr")
    return [" ".join(row.text_content().split()) for row in rows]
