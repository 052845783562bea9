"""What happens to an account is recorded, once, without an address and without the network."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from pyramid.router import Router
from sqlalchemy import inspect, select
from webtest import TestApp, TestResponse

from app.accounts.events import RETENTION
from app.accounts.models import AccountEvent
from app.database.engine import Database
from app.mail.delivery.worker import Delivery
from app.mail.testing import Mailbox
from tests.support.accounts import (
    ANNA,
    ANOTHER_PASSWORD,
    add_account,
    forgot_password,
    post,
    sign_in,
    sign_up,
)
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.second_factor import PAGE, Phone, enter, events, start_set_up, turn_on

BERTA = "berta@example.org"


class Story:
    """Anna's browser, and what the acts need."""

    def __init__(self, app: Router, clock: Clock, mailbox: Mailbox) -> None:
        self.app, self.clock, self.mailbox = app, clock, mailbox
        self.browser = another_browser(app)
        self.database: Database = app.registry.database

    def phone(self) -> Phone:
        sign_in(self.browser)
        return turn_on(self.browser, self.clock)

    def waiting(self) -> Phone:
        phone = self.phone()
        self.browser = another_browser(self.app)
        sign_in(self.browser)
        return phone

    def signed_in(self) -> TestApp:
        sign_in(self.browser)
        return self.browser

    def link(self, path: str, to: str = ANNA) -> str:
        return self.mailbox.link(self.mailbox.latest(to=to), path)


@pytest.fixture
def story(app: Router, clock: Clock, mailbox: Mailbox) -> Story:
    story = Story(app, clock, mailbox)
    add_account(story.database)
    return story


Act = Callable[[], TestResponse]


def wrong_password(story: Story) -> Act:
    return lambda: sign_in(story.browser, password=ANOTHER_PASSWORD)


def refused_password(story: Story) -> Act:
    for _ in range(10):
        sign_in(story.browser, password=ANOTHER_PASSWORD)
    return lambda: sign_in(story.browser, password=ANOTHER_PASSWORD)


def sign_in_waits(story: Story) -> Act:
    story.phone()
    story.browser = another_browser(story.app)
    return lambda: sign_in(story.browser)


def right_code(story: Story) -> Act:
    phone = story.waiting()
    return lambda: enter(story.browser, phone.code())


def right_recovery_code(story: Story) -> Act:
    phone = story.waiting()
    return lambda: enter(story.browser, phone.recovery_codes[0])


def wrong_code(story: Story) -> Act:
    story.waiting()
    return lambda: enter(story.browser, "12345")


def refused_code(story: Story) -> Act:
    story.waiting()
    for _ in range(5):
        enter(story.browser, "12345")
    return lambda: enter(story.browser, "12345")


def second_factor_on(story: Story) -> Act:
    story.signed_in()
    phone = start_set_up(story.browser, story.clock)
    return lambda: post(story.browser, PAGE, code=phone.code())


def second_factor_off(story: Story) -> Act:
    phone = story.phone()
    return lambda: post(story.browser, f"{PAGE}/turn-off", code=phone.code())


def new_recovery_codes(story: Story) -> Act:
    phone = story.phone()
    return lambda: post(story.browser, f"{PAGE}/recovery-codes", code=phone.code())


def sign_out(story: Story) -> Act:
    story.signed_in()
    return lambda: story.browser.get("/account").forms[0].submit()


def reset(story: Story) -> Act:
    forgot_password(story.browser)
    link = story.link("/reset-password/")
    return lambda: post(story.browser, link, password=ANOTHER_PASSWORD)


def ended_sessions(story: Story) -> Act:
    story.signed_in()
    sign_in(another_browser(story.app))
    page = story.browser.get("/account/sessions")
    form = next(
        f for f in page.forms.values() if f.fields.get("session") and f["session"].value == "all"
    )
    return form.submit


def preferences(story: Story) -> Act:
    story.signed_in()
    return lambda: post(story.browser, "/account/preferences", language="de")


def email_change_request(story: Story) -> Act:
    story.signed_in()
    return lambda: post(story.browser, "/account/email", new_email=BERTA)


def email_change(story: Story) -> Act:
    story.signed_in()
    post(story.browser, "/account/email", new_email=BERTA)
    link = story.link("/account/email/", to=BERTA)
    return lambda: story.browser.get(link).forms[0].submit()


ACTS = [
    (lambda story: lambda: sign_in(story.browser), "sign_in", "ok"),
    (wrong_password, "sign_in", "failed"),
    (refused_password, "sign_in", "refused"),
    (sign_in_waits, "sign_in", "code_needed"),
    (right_code, "code", "ok"),
    (right_recovery_code, "recovery_code", "ok"),
    (wrong_code, "code", "failed"),
    (refused_code, "code", "refused"),
    (second_factor_on, "second_factor_on", "ok"),
    (second_factor_off, "second_factor_off", "ok"),
    (new_recovery_codes, "new_recovery_codes", "ok"),
    (sign_out, "sign_out", "ok"),
    (lambda story: lambda: forgot_password(story.browser), "reset_request", "ok"),
    (reset, "password_reset", "ok"),
    (ended_sessions, "session_end", "ok"),
    (preferences, "preferences", "ok"),
    (email_change_request, "email_change_request", "ok"),
    (email_change, "email_change", "ok"),
]


@pytest.mark.parametrize(("prepare", "kind", "outcome"), ACTS, ids=[f"{a[1]}-{a[2]}" for a in ACTS])
def test_each_act_is_one_event_of_its_request(
    story: Story, prepare: Callable[[Story], Act], kind: str, outcome: str
) -> None:
    act = prepare(story)
    before = len(events(story.database))
    response = act()
    assert events(story.database)[before:] == [(kind, outcome)]
    with story.database.transaction(write=False) as session:
        event = session.scalars(select(AccountEvent).order_by(AccountEvent.id.desc())).first()
    assert event is not None
    assert event.request_id == response.headers["X-Request-ID"]
    assert event.at == story.clock()
    assert (event.account_id, event.staff_id) == (1, None)


def test_after_a_refusal_the_next_refusals_of_the_period_add_none(story: Story) -> None:
    act = refused_code(story)
    act()
    before = len(events(story.database))
    act()
    assert len(events(story.database)) == before


def test_a_request_for_an_unknown_address_is_an_event_of_nobody(
    app: Router, browser: TestApp, database: Database
) -> None:
    sign_in(browser)
    forgot_password(browser)
    sign_up(browser)
    assert events(database) == [("sign_in", "failed"), ("reset_request", "ok"), ("sign_up", "ok")]
    with database.transaction(write=False) as session:
        assert set(session.scalars(select(AccountEvent.account_id))) == {None}


def test_an_event_has_no_place_for_an_address_or_a_network() -> None:
    assert set(inspect(AccountEvent).columns.keys()) == {
        "id", "kind", "account_id", "staff_id", "at", "request_id", "outcome",
    }  # fmt: skip


def test_events_are_kept_for_180_days(story: Story, delivery: Delivery, clock: Clock) -> None:
    assert timedelta(days=180) == RETENTION
    sign_in(story.browser, password=ANOTHER_PASSWORD)
    clock.advance(timedelta(seconds=1))
    sign_in(story.browser)
    clock.advance(timedelta(days=180))
    delivery._maintenance.expiry.run_due_tasks()
    assert events(story.database) == [("sign_in", "ok")]
