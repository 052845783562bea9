"""Staff resend, release or cancel all emails that the log's filter finds."""

from collections import Counter
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from pyramid.router import Router
from sqlalchemy import select, update
from webtest import TestApp, TestResponse

from app.mail.outbox import many
from app.mail.outbox.batches import Batch
from app.mail.outbox.tables import OutboxEmail, State
from app.staff import many_emails
from app.staff.many_actions import KeptAction
from app.staff.models import StaffAction
from tests.support.accounts import PASSWORD, add_account, heading, sign_in
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.outbox import Outbox, put
from tests.support.second_factor import turn_on

SAM, TOM = "sam@example.org", "tom@example.org"
FAILED = "/staff/emails/all/resend?state=failed"
PATHS = ["/staff/actions", FAILED, "/staff/emails/all/cancel?state=queued"]


@pytest.fixture
def outbox(app: Router) -> Outbox:
    """The shop's outbox."""
    return Outbox(app.registry)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches for few emails."""
    monkeypatch.setattr(many, "BATCH", 2)


def staff_browser(app: Router, clock: Clock, address: str = SAM) -> TestApp:
    """A browser of a member of staff, signed in with the second factor."""
    add_account(app.registry.database, address, is_staff=True)
    browser = another_browser(app)
    sign_in(browser, address)
    turn_on(browser, clock)
    return browser


@pytest.fixture
def staff(app: Router, clock: Clock) -> TestApp:
    """Sam's browser."""
    return staff_browser(app, clock)


def failed(outbox: Outbox, count: int, *, first: int = 0) -> list[OutboxEmail]:
    """So many failed emails."""
    emails = [outbox.write(number) for number in range(first, first + count)]
    return [put(outbox, email, State.FAILED, reason="550 5.4.5 quota") for email in emails]


def button(page: TestResponse) -> TestResponse:
    """The page after the button of a page was pressed."""
    return page.forms[0].submit(status=303).follow()


def states(outbox: Outbox, emails: list[OutboxEmail]) -> Counter[str]:
    return Counter(outbox.row(email).state for email in emails)


def actions(outbox: Outbox) -> list[StaffAction]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(StaffAction).order_by(StaffAction.id)))


def words(page: TestResponse) -> str:
    return " ".join(page.html.main.get_text(" ").split())


@pytest.mark.parametrize("path", PATHS)
def test_for_customers_the_pages_do_not_exist(app: Router, browser: TestApp, path: str) -> None:
    browser.get(path, status=404)
    add_account(app.registry.database)
    sign_in(browser)
    browser.get(path, status=404)
    token = browser.get("/account").forms[0]["csrf_token"].value
    fields = {"csrf_token": token, "newest": "9", "at": "1"}
    if "all" in path:
        browser.post(path, fields, status=404)


def test_staff_see_number_and_oldest_and_one_button_sends_them_all_again(
    staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    emails = failed(outbox, 5)
    other = put(outbox, outbox.write(9), State.SENT)
    clock.advance(timedelta(minutes=1))
    page = staff.get(f"{FAILED}&reason=550+5.4.5")
    assert heading(page) == "Send emails again"
    assert "Emails 5" in words(page)
    assert "5 · Failed" in words(page)
    assert page.html.select_one("dd time")
    assert "Reason begins with 550 5.4.5" in words(page)
    assert states(outbox, emails) == {"failed": 5}
    page = button(page)
    assert "5 emails are sent again." in words(page)
    assert "Nothing is left to do." in words(page)
    assert not page.forms
    assert states(outbox, emails) == {"queued": 5}
    assert outbox.row(other).state == "sent"
    (action,) = actions(outbox)
    assert (action.action, action.done, action.refused) == ("resend", 5, 0)
    assert action.target == "emails: state=failed, reason=550 5.4.5"
    assert action.staff_id is not None


def test_what_could_not_be_sent_is_listed_with_its_reason(staff: TestApp, outbox: Outbox) -> None:
    emails = failed(outbox, 8)
    for email in emails[:7]:
        outbox.change(email, html_body=None, text_body=None)
    page = button(staff.get(FAILED))
    assert "1 email is sent again. 7 were left as they are:" in words(page)
    assert "Their content is erased: 7" in words(page)
    assert len(page.html.select("main li a[href^='/staff/emails/']")) == 5
    page = staff.get("/staff/actions")
    assert SAM in words(page)
    assert "1 done, 7 refused" in words(page)
    assert "Their content is erased: 7" in words(page)


def test_a_request_does_what_fits_into_its_time_and_the_next_goes_on(
    staff: TestApp, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = failed(outbox, 5)
    page = staff.get(FAILED)
    later = failed(outbox, 2, first=5)
    monkeypatch.setattr(many_emails, "SECONDS", 0.0)
    page = button(page)
    assert "2 emails are sent again." in words(page)
    assert "Still to do 3" in words(page)
    page = button(page)
    assert "4 emails are sent again." in words(page)
    assert states(outbox, emails) == {"queued": 4, "failed": 1}
    monkeypatch.setattr(many_emails, "SECONDS", 60.0)
    page = button(page)
    assert "5 emails are sent again." in words(page)
    assert not page.forms
    assert states(outbox, later) == {"failed": 2}
    assert [(action.done, action.refused) for action in actions(outbox)] == [(5, 0)]


def test_the_filters_last_hour_stays_as_it_was_confirmed(
    staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    emails = failed(outbox, 2)
    clock.advance(timedelta(minutes=55))
    sign_in_again(staff, page := staff.get(f"{FAILED}&within=hour"))
    page = staff.get(f"{FAILED}&within=hour")
    clock.advance(timedelta(minutes=6))
    assert "2 emails are sent again." in words(button(page))
    assert states(outbox, emails) == {"queued": 2}


def sign_in_again(staff: TestApp, page: TestResponse) -> None:
    """Enter the password on the page that asks for it."""
    form = page.follow().forms[0]
    form["password"] = PASSWORD
    form.submit(status=303)


def test_the_recipient_is_named_by_an_email_and_no_url_or_action_holds_the_address(
    staff: TestApp, outbox: Outbox
) -> None:
    emails = failed(outbox, 3)
    page = staff.get(f"{FAILED}&to_of={emails[1].id}")
    assert "Recipient customer1@example.org" in words(page)
    answer = page.forms[0].submit(status=303)
    assert "customer1" not in answer.location
    assert "1 email is sent again." in words(answer.follow())
    assert states(outbox, emails) == {"failed": 2, "queued": 1}
    assert "@" not in actions(outbox)[0].target
    staff.get(f"{FAILED}&to_of=999", status=404)


def test_the_log_offers_what_can_be_done_with_all_that_its_filter_finds(
    staff: TestApp, outbox: Outbox
) -> None:
    failed(outbox, 2)
    put(outbox, outbox.write(5), State.UNKNOWN)
    put(outbox, outbox.write(6), State.QUEUED)
    assert offered(staff.get("/staff/emails")) == []
    assert offered(staff.get("/staff/emails?state=failed")) == ["resend"]
    assert offered(staff.get("/staff/emails?state=queued")) == ["cancel"]
    everything = ["resend", "release", "cancel"]
    assert offered(staff.get("/staff/emails?state=unknown")) == everything
    assert offered(staff.get("/staff/emails?kind=note")) == everything
    assert offered(staff.get("/staff/emails?kind=nothing")) == []
    page = staff.get("/staff/emails?state=failed&reason=550").click("Send all of them again")
    assert heading(page) == "Send emails again"
    assert "Emails 2" in words(page)
    assert page.click("Back to the emails").request.path_qs == (
        "/staff/emails?state=failed&reason=550"
    )


def offered(page: TestResponse) -> list[str]:
    """What can be done with all emails that the page's filter finds."""
    links = page.html.select("main a[href^='/staff/emails/all/']")
    return [urlsplit(str(link["href"])).path.rpartition("/")[2] for link in links]


def test_releasing_and_cancelling(staff: TestApp, outbox: Outbox) -> None:
    held = [put(outbox, outbox.write(number), State.UNKNOWN) for number in range(3)]
    page = staff.get("/staff/emails/all/release?state=unknown")
    assert heading(page) == "Release emails"
    assert "3 emails are released." in words(button(page))
    assert states(outbox, held) == {"queued": 3}
    page = staff.get("/staff/emails/all/cancel?kind=note")
    assert heading(page) == "Cancel emails"
    assert "3 emails are cancelled." in words(button(page))
    assert states(outbox, held) == {"cancelled": 3}
    assert (
        outbox.row(held[0]).reason
        == f"cancelled by our staff, account {actions(outbox)[0].staff_id}"
    )


def test_the_page_says_that_sent_emails_go_out_once_more(staff: TestApp, outbox: Outbox) -> None:
    put(outbox, outbox.write(1), State.SENT)
    put(outbox, outbox.write(2), State.BOUNCED)
    failed(outbox, 4, first=3)
    page = staff.get("/staff/emails/all/resend?kind=note")
    assert "The relay has accepted 2 of them before." in words(page)
    assert "The relay has accepted" not in words(staff.get(FAILED))
    assert "has accepted" not in words(staff.get("/staff/emails/all/cancel?kind=note"))


def test_two_staff_who_press_at_once_send_each_email_once(
    app: Router, staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    emails = failed(outbox, 20)
    pages = [browser.get(FAILED) for browser in (staff, staff_browser(app, clock, TOM))]
    answers = at_once(button, pages)
    assert states(outbox, emails) == {"queued": 20}
    assert len(answers) == 2
    assert sum(action.done for action in actions(outbox)) == 20


def test_a_button_pressed_twice_changes_nothing_more(staff: TestApp, outbox: Outbox) -> None:
    emails = [put(outbox, outbox.write(number), State.SENT) for number in range(3)]
    page = staff.get("/staff/emails/all/resend?state=sent")
    button(page)
    page = button(page)
    assert "0 emails are sent again. 3 were left as they are:" in words(page)
    assert "Already sent again: 3" in words(page)
    with outbox.registry.database.transaction(write=False) as session:
        keys = session.scalars(select(OutboxEmail.key)).all()
    assert len([key for key in keys if key.endswith("#2")]) == len(emails)
    assert not [key for key in keys if key.endswith("#3")]


def test_without_a_filter_the_log_is_shown(staff: TestApp, outbox: Outbox) -> None:
    emails = failed(outbox, 2)
    for query in ("", "?state=&kind=", "?state=no-such-state"):
        answer = staff.get(f"/staff/emails/all/resend{query}", status=303)
        assert urlsplit(answer.location).path == "/staff/emails"
    assert states(outbox, emails) == {"failed": 2}


def test_the_password_comes_first_after_ten_minutes_and_the_filter_stays(
    staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    emails = failed(outbox, 2)
    page = staff.get(FAILED)
    clock.advance(timedelta(minutes=10))
    assert "/account/confirm" in staff.get(FAILED, status=303).location
    answer = page.forms[0].submit(status=303)
    assert states(outbox, emails) == {"failed": 2}
    assert not actions(outbox)
    assert parse_qs(urlsplit(answer.location).query)["next"] == [FAILED]
    form = answer.follow().forms[0]
    form["password"] = PASSWORD
    assert "Emails 2" in words(form.submit(status=303).follow())


def test_a_form_that_says_nothing_of_what_was_confirmed_is_refused(
    staff: TestApp, outbox: Outbox
) -> None:
    emails = failed(outbox, 2)
    token = staff.get(FAILED).forms[0]["csrf_token"].value
    for fields in (
        {},
        {"newest": "5"},
        {"newest": "x", "at": "1"},
        {"newest": "-1", "at": "1"},
        {"newest": "99999999999", "at": "1"},
        {"newest": "5", "at": "99999999999999999999"},
    ):
        staff.post(FAILED, {"csrf_token": token, **fields}, status=400)
    assert states(outbox, emails) == {"failed": 2}


def test_without_a_csrf_token_nothing_is_sent(staff: TestApp, outbox: Outbox) -> None:
    emails = failed(outbox, 2)
    staff.post(FAILED, {"newest": "5", "at": "1"}, status=400)
    assert states(outbox, emails) == {"failed": 2}


@pytest.mark.parametrize("path", ["/staff/emails/all/erase?state=failed", "/staff/emails/all"])
def test_other_acts_do_not_exist(staff: TestApp, path: str) -> None:
    staff.get(path, status=404)


def test_nobody_goes_on_with_another_ones_action(
    app: Router, staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    failed(outbox, 2)
    button(staff.get(FAILED))
    (first,) = actions(outbox)
    failed(outbox, 2, first=2)
    tom = staff_browser(app, clock, TOM)
    page = tom.get(FAILED)
    token = page.forms[0]["csrf_token"].value
    fields = {"csrf_token": token, "newest": "9", "at": page.forms[0]["at"].value}
    tom.post(FAILED, fields | {"action": str(first.id)}, status=303)
    assert [action.done for action in actions(outbox)] == [2, 2]


def test_the_list_of_actions_has_pages_and_says_who_did_it(
    staff: TestApp, outbox: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "Nobody has done anything yet." in words(staff.get("/staff/actions"))
    for number in range(3):
        failed(outbox, 1, first=number)
        button(staff.get(FAILED))
    monkeypatch.setattr("app.staff.action_pages.PAGE_LENGTH", 2)
    page = staff.get("/staff/actions")
    assert len(page.html.select("main ol > li")) == 2
    page = page.click("Older actions")
    assert len(page.html.select("main ol > li")) == 1
    assert SAM in words(page)
    page = page.click("Newest actions")
    staff.get("/staff/actions?before=x", status=404)
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(update(StaffAction).values(staff_id=None))
    assert "an account that was deleted" in words(staff.get("/staff/actions"))
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(update(StaffAction).values(detail="pillarbox emails", action="erase"))
    page = staff.get("/staff/actions")
    assert "Erase what is kept about a recipient" in words(page)
    assert "pillarbox emails · 1 done" in words(page)


def story(staff: TestApp, email: OutboxEmail) -> list[str]:
    """The steps of an email's story that tell of a person's act."""
    steps = staff.get(f"/staff/emails/{email.id}").html.select(".story li")
    texts = [" ".join(step.get_text(" ").split()) for step in steps]
    return [text for text in texts if "by hand" in text]


def test_the_story_of_each_email_tells_of_an_action_on_all_of_them_once(
    staff: TestApp, outbox: Outbox
) -> None:
    emails = failed(outbox, 4)
    erased = outbox.change(failed(outbox, 1, first=8)[0], html_body=None, text_body=None)
    button(staff.get(FAILED))
    (action,) = actions(outbox)
    for email in emails:
        (step,) = story(staff, email)
        assert "The email was sent again by hand" in step
        assert f"account:{action.staff_id} · emails: state=failed" in step
        assert "no_body" not in step
    assert story(staff, erased) == []


def test_copies_of_an_action_on_many_keep_its_request(
    staff: TestApp, outbox: Outbox, clock: Clock
) -> None:
    put(outbox, outbox.write(1), State.SENT, sent_at=clock())
    button(staff.get("/staff/emails/all/resend?state=sent"))
    (action,) = actions(outbox)
    with outbox.registry.database.transaction(write=False) as session:
        newest = session.scalars(select(OutboxEmail).order_by(OutboxEmail.id.desc())).first()
    assert newest is not None
    assert newest.key == "note:1#2"
    assert newest.request_id == action.request_id


def test_the_largest_number_of_an_email_is_no_error(staff: TestApp) -> None:
    staff.get(f"{FAILED}&newest={2**31 - 1}&at=1", status=200)


def test_an_action_that_two_requests_carry_out_counts_what_both_did(outbox: Outbox) -> None:
    registry = outbox.registry
    first = KeptAction("resend", "emails: all", registry.clock, None, "request")
    with registry.database.transaction(write=True) as session:
        first.note(session, Batch([1, 2], done=2))
    second = KeptAction("resend", "emails: all", registry.clock, None, "request", id=first.id)
    for kept, batch in ((second, Batch([3], done=1)), (first, Batch([4, 5], done=2))):
        with registry.database.transaction(write=True) as session:
            kept.note(session, batch)
    (action,) = actions(outbox)
    assert action.done == 5
