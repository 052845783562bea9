"""Staff see which addresses are suppressed, lift a suppression, and send what is still worth it."""

from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp, TestResponse

from app.database.engine import Database
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress
from app.staff.models import StaffAction
from tests.mail.events.test_hearing import about, tell
from tests.support.accounts import add_account, heading, sign_in, summary
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind, put

SAM = "sam@example.org"
ADA = "ada@example.org"
PATH = "/staff/suppressions"


@pytest.fixture
def bounced(outbox: Outbox) -> OutboxEmail:
    """An email that came back from Ada's address, which is suppressed."""
    email = put(outbox, outbox.write(1, address=ADA), State.SENT)
    tell(outbox, about(outbox, email, Event.BOUNCED, code="5.1.1"))
    return email


def test_a_customers_account_says_that_nothing_is_sent_and_leads_to_the_reason(
    staff: TestApp, database: Database, bounced: OutboxEmail
) -> None:
    path = f"/staff/accounts/{add_account(database, ADA)}"
    page = staff.get(path)
    assert "5.1.1" in page.html.find("dt", string="Nothing is sent until").find_next("dd").text
    assert str(bounced.id) in page.click("Emails to this address").text
    reason = page.click("^Suppressed addresses$", index=1)
    assert reason.html.find("h2").text == ADA
    act(reason, "lift")
    assert "Nothing is sent until" not in staff.get(path).text


def act(page: TestResponse, name: str) -> TestResponse:
    """Press the first button of this act."""
    form = next(
        form for form in page.forms.values() if "act" in form.fields and form["act"].value == name
    )
    return form.submit(expect_errors=True)


def actions(database: Database) -> list[tuple[str, str, int, int, int | None]]:
    with database.transaction(write=False) as session:
        return [
            (each.action, each.target, each.done, each.refused, each.staff_id)
            for each in session.scalars(select(StaffAction).order_by(StaffAction.id))
        ]


def rows(page: TestResponse) -> list[str]:
    return [" ".join(row.get_text().split()) for row in page.html.select("tbody tr")]


def is_suppressed(database: Database) -> bool:
    with database.transaction(write=False) as session:
        return session.get(SuppressedAddress, ADA) is not None


def test_for_everybody_else_the_page_does_not_exist(
    app: Router, browser: TestApp, sam: int, bounced: OutboxEmail, database: Database
) -> None:
    browser.get(PATH, status=404)
    sign_in(browser, SAM)
    browser.get(PATH, status=404)
    token = browser.get("/account").forms[0]["csrf_token"].value
    for name in ("find", "lift", "send"):
        values = {"act": name, "address": ADA, "email": "1", "csrf_token": token}
        browser.post(PATH, values, status=404)
    assert is_suppressed(database)


def test_the_list_shows_why_and_until_when(
    staff: TestApp, bounced: OutboxEmail, outbox: Outbox
) -> None:
    outbox.suppress("long.ago@example.org", wait=timedelta(0))
    [row] = rows(staff.get("/staff").click("Suppressed addresses"))
    assert row.startswith(f"{ADA} an email to it bounced (5.1.1) Email {bounced.id}")
    assert "1 bounce Lift" in row


def test_an_empty_list_says_so(staff: TestApp) -> None:
    assert "No address is suppressed." in staff.get(PATH).text


def test_an_address_is_found_and_stands_in_no_url(staff: TestApp, bounced: OutboxEmail) -> None:
    page = act_find(staff, " ADA@example.org ")
    assert page.location.endswith(f"{PATH}?email={bounced.id}")
    page = page.follow()
    assert page.html.find("h2").get_text() == ADA
    assert "an email to it bounced (5.1.1)" in page.text
    page = act_find(staff, "nobody@example.org")
    assert page.status_int == 422
    assert summary(page) == ["No email was ever written to this address."]


def act_find(staff: TestApp, address: str) -> TestResponse:
    form = next(form for form in staff.get(PATH).forms.values() if "email" in form.fields)
    form["email"] = address
    return form.submit(expect_errors=True)


@pytest.mark.parametrize("id", ["999", "9999999999", "99999999999999999999", "x", "-1", ""])
def test_an_email_that_does_not_exist_is_not_found(staff: TestApp, id: str) -> None:
    staff.get(f"{PATH}?email={id}", status=404)


def test_staff_lift_a_suppression_and_send_what_is_still_worth_it(
    staff: TestApp,
    bounced: OutboxEmail,
    outbox: Outbox,
    clock: Clock,
    database: Database,
    sam: int,
) -> None:
    held = outbox.write(1, key="b", address=ADA, subject="Worth it")
    of = kind("secret", carries_secret=True)
    secret = outbox.write(2, of=of, address=ADA, subject="A link")
    page = act(staff.get(PATH), "lift").follow()
    assert f"Emails go to {ADA} again." in page.text
    assert not is_suppressed(database)
    items = [item.get_text().split(" (")[0] for item in page.html.select("main > ul li")]
    assert items == [
        f"Email {bounced.id}: Note 1 for you",
        f"Email {held.id}: Worth it",
        f"Email {secret.id}: A link",
    ]
    assert "it held a link that opens the account" in page.text
    page = act(page, "send").follow()
    assert "Emails on their way: 2." in page.text
    assert "Send these emails" not in page.text
    assert outbox.row(held).state == State.QUEUED
    assert outbox.row(secret).state == State.SUPPRESSED
    story = staff.get(f"/staff/emails/{bounced.id}").text
    assert "The suppression of the address was lifted by hand" in story
    assert "Lift a suppression" in staff.get("/staff/actions").text
    assert actions(database) == [
        ("lift", f"email:{bounced.id}", 1, 0, sam),
        ("resend", f"address of email:{secret.id}", 2, 1, sam),
    ]


def test_two_who_lift_at_once_lift_it_once(
    staff: TestApp, bounced: OutboxEmail, database: Database
) -> None:
    page = staff.get(PATH)
    act(page, "lift")
    page = act(page, "lift").follow()
    assert "This address is not suppressed any more." in page.text
    assert len(actions(database)) == 1


def test_acts_need_the_password_within_ten_minutes(
    staff: TestApp, bounced: OutboxEmail, clock: Clock, database: Database
) -> None:
    page = staff.get(PATH)
    clock.advance(timedelta(minutes=10))
    page = act(page, "lift")
    assert "/account/confirm" in page.location
    assert ADA not in page.location
    assert is_suppressed(database)
    assert heading(page.follow()) == "Confirm your password"


def test_an_ended_suppression_can_be_forgotten(
    staff: TestApp, outbox: Outbox, database: Database
) -> None:
    """Or else the next bounce suppresses for longer."""
    email = outbox.write(1, address=ADA)
    outbox.suppress(ADA, wait=timedelta(0))
    page = staff.get(f"{PATH}?email={email.id}")
    assert "The suppression has ended." in page.text
    assert rows(page) == []
    act(page, "lift")
    assert not is_suppressed(database)


def test_what_an_unknown_act_does_is_nothing(staff: TestApp, bounced: OutboxEmail) -> None:
    token = staff.get(PATH).forms[0]["csrf_token"].value
    staff.post(PATH, {"act": "x", "csrf_token": token}, status="4*")


def test_a_lift_of_an_address_nobody_knows_changes_nothing(
    staff: TestApp, bounced: OutboxEmail, database: Database
) -> None:
    token = staff.get(PATH).forms[0]["csrf_token"].value
    for address in ("", "nobody@example.org", "x" * 10_000, "a%_@example.org"):
        values = {"act": "lift", "address": address, "csrf_token": token}
        assert staff.post(PATH, values, status=303).location.endswith(PATH)
    assert is_suppressed(database)
    assert actions(database) == []


def test_the_story_of_an_email_says_who_sent_what_was_still_worth_sending(
    staff: TestApp, sam: int, outbox: Outbox, bounced: OutboxEmail
) -> None:
    missed = outbox.write(2, address=ADA)
    put(outbox, missed, State.SUPPRESSED)
    page = act(staff.get(f"{PATH}?email={bounced.id}"), "lift").follow()
    act(page, "send")
    steps = staff.get(f"/staff/emails/{missed.id}").html.select(".story li")
    (step,) = [step.get_text(" ") for step in steps if "by hand" in step.get_text()]
    assert "The email was sent again by hand" in step
    assert f"account:{sam}" in step
