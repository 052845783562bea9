"""An email leaves if and only if its transaction commits, and once for each key. Views of the
test's own send, and then fail, are retried, or send again.
"""

from collections.abc import Iterator

import pytest
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.router import Router
from webtest import TestApp

from app import configure
from app.database.errors import DatabaseBusy
from app.mail import Message, Recipient
from app.mail.testing import Mailbox
from tests.support.at_once import at_once
from tests.support.browser import another_browser
from tests.support.clock import Clock
from tests.support.outbox import kind

NOTE = kind()


def note(address: str = "ada@example.org") -> Message:
    return Message(NOTE, Recipient(address), "note:1", "A note for you", "<p>Hello</p>", "Hello\n")


@pytest.fixture
def app(settings_values: dict[str, str], clock: Clock) -> Iterator[Router]:
    """The application with views that send, and then succeed or fail."""
    config = configure({}, settings_values)
    config.registry.clock = clock
    config.add_email_kind(NOTE)
    tries: list[int] = []

    def fails(request: Request) -> None:
        request.email_service.send_message(note(), key="note:1")
        raise RuntimeError("something went wrong after sending")

    def succeeds_at_the_third_try(request: Request) -> HTTPSeeOther:
        request.email_service.send_message(note(), key="note:1")
        tries.append(1)
        if len(tries) < 3:
            raise DatabaseBusy("database is locked")
        return HTTPSeeOther("/")

    def sends_twice(request: Request) -> HTTPSeeOther:
        first = request.email_service.send_message(note(), key="note:1")
        second = request.email_service.send_message(note(), key="note:1")
        assert first is second
        return HTTPSeeOther("/")

    def reuses_a_key(request: Request) -> HTTPSeeOther:
        request.email_service.send_message(note(), key="note:1")
        request.email_service.send_message(note("eve@example.org"), key="note:1")
        return HTTPSeeOther("/")

    for view in (fails, succeeds_at_the_third_try, sends_twice, reuses_a_key):
        config.add_route(view.__name__, f"/test/{view.__name__}")
        config.add_view(view, route_name=view.__name__, request_method="POST", require_csrf=False)
    config.commit()
    router = config.make_wsgi_app()
    yield router
    router.registry.database.dispose()


def test_a_view_that_raises_after_sending_leaves_no_email(
    browser: TestApp, mailbox: Mailbox
) -> None:
    browser.post("/test/fails", status=500)
    assert mailbox.all() == []


def test_a_retried_request_leaves_one_email(browser: TestApp, mailbox: Mailbox) -> None:
    browser.post("/test/succeeds_at_the_third_try", status=303)
    assert len(mailbox.all()) == 1


def test_the_same_key_twice_leaves_one_email(browser: TestApp, mailbox: Mailbox) -> None:
    browser.post("/test/sends_twice", status=303)
    browser.post("/test/sends_twice", status=303)
    assert len(mailbox.all()) == 1


def test_a_key_of_another_recipient_is_refused_and_nothing_is_written(
    browser: TestApp, mailbox: Mailbox, app: Router
) -> None:
    browser.post("/test/reuses_a_key", status=500)
    assert mailbox.all() == []


def test_ten_requests_at_once_with_one_key_leave_one_email(app: Router, mailbox: Mailbox) -> None:
    statuses = at_once(
        lambda browser: browser.post("/test/sends_twice").status_int,
        [another_browser(app) for _ in range(10)],
    )
    assert statuses == [303] * 10
    assert len(mailbox.all()) == 1
