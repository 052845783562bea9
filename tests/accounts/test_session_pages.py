"""The page of devices and activity (STANDARDS B4)."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.event_words import words_of
from app.accounts.events import EventKind, Outcome
from app.accounts.models import AccountEvent, SignInSession
from app.database.engine import Database
from tests.support.accounts import (
    ANOTHER_PASSWORD,
    PASSWORD,
    add_account,
    is_signed_in,
    post,
    sign_in,
)
from tests.support.browser import another_browser
from tests.support.clock import Clock

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/142.0.0.0 Mobile Safari/537.36"
)
ADDRESS_OF_NETWORK = "203.0.113.77"


@pytest.fixture(autouse=True)
def anna(database: Database) -> int:
    """Anna has an account."""
    return add_account(database)


@pytest.fixture
def laptop(app: Router) -> TestApp:
    laptop = another_browser(app, HTTP_USER_AGENT=FIREFOX)
    sign_in(laptop)
    return laptop


@pytest.fixture
def phone(app: Router, laptop: TestApp, clock: Clock) -> TestApp:
    clock.advance(timedelta(minutes=1))
    phone = another_browser(app, HTTP_USER_AGENT=PHONE, REMOTE_ADDR=ADDRESS_OF_NETWORK)
    sign_in(phone)
    return phone


def rows(browser: TestApp, table: str) -> list[str]:
    page = browser.get("/account/sessions", status=200)
    return [" ".join(row.get_text(" ").split()) for row in page.html.select(f".{table} tbody tr")]


def test_each_device_is_named_and_this_one_is_marked(laptop: TestApp, phone: TestApp) -> None:
    first, second = rows(laptop, "sessions")
    assert first.startswith("Chrome on Android")
    assert first.endswith("Sign out : Chrome on Android")
    assert second.startswith("Firefox on Linux")
    assert second.endswith("This device")
    assert ADDRESS_OF_NETWORK not in laptop.get("/account/sessions").text


def test_an_unknown_device_is_called_so(app: Router) -> None:
    browser = another_browser(app)
    sign_in(browser)
    assert rows(browser, "sessions")[0].startswith("Unknown device")


def test_one_device_is_signed_out(laptop: TestApp, phone: TestApp) -> None:
    page = laptop.get("/account/sessions").forms[0].submit(status=303).follow()
    assert "That device has been signed out." in page.text
    assert not is_signed_in(phone)
    assert is_signed_in(laptop)


def test_all_other_devices_are_signed_out(app: Router, laptop: TestApp, phone: TestApp) -> None:
    third = another_browser(app)
    sign_in(third)
    laptop.get("/account/sessions").forms[2].submit(status=303)
    assert [is_signed_in(each) for each in (laptop, phone, third)] == [True, False, False]


def test_the_session_of_another_account_stays(
    app: Router, database: Database, laptop: TestApp, phone: TestApp
) -> None:
    add_account(database, "berta@example.org")
    berta = another_browser(app)
    sign_in(berta, "berta@example.org")
    token = berta.get("/account/password").form["csrf_token"].value
    for session in ("1", "2", "x", "", "²", "9" * 15):
        fields = {"session": session, "csrf_token": token}
        berta.post("/account/sessions", fields, status=303)
    assert is_signed_in(laptop)
    assert is_signed_in(phone)


def test_a_session_that_ended_while_its_form_is_open_changes_nothing(
    laptop: TestApp, phone: TestApp
) -> None:
    form = phone.get("/account/password").form
    form["current_password"], form["password"] = PASSWORD, ANOTHER_PASSWORD
    laptop.get("/account/sessions").forms[0].submit(status=303)
    answer = form.submit(status=303)
    assert "/sign-in" in answer.location
    assert sign_in(phone, password=PASSWORD).status_int == 303


def test_the_owner_sees_what_happened(app: Router, laptop: TestApp) -> None:
    sign_in(another_browser(app), password=ANOTHER_PASSWORD)
    post(laptop, "/account/password", current_password=PASSWORD, password=ANOTHER_PASSWORD)
    page = laptop.get("/account/sessions")
    assert [cell.get_text() for cell in page.html.select(".events tbody th")] == [
        "The password was changed",
        "The password was entered again",
        "Wrong password at sign-in",
        "Signed in",
    ]


def test_acts_of_staff_are_marked_and_what_is_old_is_not_shown(
    database: Database, laptop: TestApp, anna: int, clock: Clock
) -> None:
    staff = add_account(database, "staff@example.org", is_staff=True)
    with database.transaction(write=True) as session:
        for staff_id, days in ((staff, 1), (None, 181)):
            session.add(
                AccountEvent(
                    kind=EventKind.SESSION_END,
                    account_id=anna,
                    staff_id=staff_id,
                    at=clock.now - timedelta(days=days),
                    request_id="1",
                    outcome=Outcome.OK,
                )
            )
    by_staff, by_owner = rows(laptop, "events")
    assert by_staff.startswith("Devices were signed out (by our staff)")
    assert by_owner.startswith("Signed in")


def test_every_event_has_plain_words() -> None:
    """The owner sees no kind by its name in the table."""
    # The account of a deletion is gone. The page of a link belongs to no account.
    shown = set(EventKind) - {EventKind.DELETION, EventKind.LINK}
    events = [AccountEvent(kind=kind, outcome=Outcome.OK) for kind in shown]
    tried = [EventKind.SIGN_IN, EventKind.PASSWORD_CHECK, EventKind.CODE, EventKind.RECOVERY_CODE]
    for outcome in (Outcome.FAILED, Outcome.REFUSED):
        events += [AccountEvent(kind=kind, outcome=outcome) for kind in tried]
    refused = EventKind.EMAIL_CHANGE_REQUEST
    events.append(AccountEvent(kind=refused, outcome=Outcome.REFUSED))
    assert [event.kind for event in events if words_of(event) == event.kind] == []


def test_this_session_is_not_among_the_others(laptop: TestApp, database: Database) -> None:
    token = laptop.get("/account/password").form["csrf_token"].value
    with database.transaction(write=False) as session:
        own = session.scalars(select(SignInSession.id)).one()
    laptop.post("/account/sessions", {"session": str(own), "csrf_token": token}, status=303)
    assert is_signed_in(laptop)
