"""``request.id`` ties together the response, log lines, error pages and rows of one request."""

import logging
import re

import pytest
from pyramid.router import Router
from webtest import TestApp

from app.database.errors import DatabaseBusy
from app.mail.testing import Mailbox
from tests.support.accounts import sign_up
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite

pytestmark = on_sqlite
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def app(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    return make_app(settings_values | {"server.trusted_proxies": "127.0.0.1"})


@pytest.mark.parametrize("path", ["/", "/no-such-page", "/static/pillarbox.css", "/healthz"])
def test_every_response_has_an_id_of_its_own(browser: TestApp, path: str) -> None:
    ids = [browser.get(path, status="*").headers["X-Request-ID"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{32}", request_id) for request_id in ids)
    assert ids[0] != ids[1]


def test_a_row_and_its_log_line_have_the_id_of_the_response(
    browser: TestApp, mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app")
    request_id = sign_up(browser).headers["X-Request-ID"]
    email = mailbox.latest()
    assert email.request_id == request_id
    line = (
        f"email written: email={email.id} kind=confirm_address state=captured request={request_id}"
    )
    assert line in caplog.messages


def test_an_error_page_names_the_id(browser: TestApp) -> None:
    page = browser.get("/no-such-page", status=404)
    assert f"name the request {page.headers['X-Request-ID']}." in page.text
    page = browser.post("/sign-in", {}, status=400)
    assert f"name the request {page.headers['X-Request-ID']}." in page.text


def test_our_own_failure_has_the_id_on_the_page_and_in_the_first_line_of_the_log(
    app: Router, browser: TestApp, caplog: pytest.LogCaptureFixture
) -> None:
    def no_composer(*_: object, **__: object) -> None:
        raise RuntimeError("a screw is loose")

    app.registry.email_composer.compose = no_composer
    page = sign_up(browser)
    assert page.status_int == 500
    request_id = page.headers["X-Request-ID"]
    assert f"name the request {request_id}." in page.text
    first, *rest = caplog.messages[-1].splitlines()
    assert first == f"request failed: method=POST route=sign_up request={request_id}"
    assert rest[-1].endswith("a screw is loose")


def test_a_request_that_is_tried_again_keeps_its_id(
    app: Router, browser: TestApp, mailbox: Mailbox
) -> None:
    seen = []
    compose = app.registry.email_composer.compose

    def fail_once(kind: object, *arguments: object, **details: object) -> object:
        from pyramid.threadlocal import get_current_request

        seen.append(get_current_request().id)
        if len(seen) == 1:
            raise DatabaseBusy("busy")
        return compose(kind, *arguments, **details)

    app.registry.email_composer.compose = fail_once
    response = sign_up(browser)
    assert response.status_int == 303
    assert seen == [response.headers["X-Request-ID"]] * 2
    assert mailbox.latest().request_id == seen[0]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X-Request-ID": "a-proxys_own.id7"}, "a-proxys_own.id7"),
        ({"X-Request-ID": "x" * 64}, "x" * 64),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"traceparent": f"01-{TRACE}-00f067aa0ba902b7-01-more"}, TRACE),
        ({"X-Request-ID": "", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"X-Request-ID": "first", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, "first"),
    ],
)
def test_a_trusted_proxy_gives_the_id(app: Router, headers: dict[str, str], expected: str) -> None:
    response = another_browser(app).get("/", headers=headers)
    assert response.headers["X-Request-ID"] == expected
    response = another_browser(app, REMOTE_ADDR="192.0.2.1").get("/", headers=headers)
    assert response.headers["X-Request-ID"] != expected


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Request-ID": "x" * 65},
        {"X-Request-ID": "two words"},
        {"X-Request-ID": "a\tb"},
        {"X-Request-ID": "%s%d"},
        {"X-Request-ID": "<b>"},
        {"X-Request-ID": "\xe9"},
        {"traceparent": f"ff-{TRACE}-00f067aa0ba902b7-01"},
        {"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"},
        {"traceparent": f"00-{TRACE}-{'0' * 16}-01"},
        {"traceparent": f"00-{TRACE.upper()}-00f067aa0ba902b7-01"},
        {"traceparent": TRACE},
    ],
)
def test_an_unusable_id_is_replaced(app: Router, headers: dict[str, str]) -> None:
    response = another_browser(app).get("/", headers=headers)
    request_id = response.headers["X-Request-ID"]
    assert re.fullmatch("[0-9a-f]{32}", request_id)
    assert request_id != TRACE


def test_lines_between_requests_have_no_id(
    browser: TestApp, caplog: pytest.LogCaptureFixture
) -> None:
    browser.get("/")
    logging.getLogger("app.anything").warning("after the request: a=%d", 1)
    assert caplog.messages[-1] == "after the request: a=1"


def test_lines_of_other_libraries_stay_as_they_are(
    app: Router, caplog: pytest.LogCaptureFixture
) -> None:
    from app.web.request_id import RecordOfRequest, _current

    _current.set("abc")
    try:
        record = RecordOfRequest("sqlalchemy", 20, "x.py", 1, "hello %s", ("you",), None)
        assert record.getMessage() == "hello you"
        record = RecordOfRequest("app.x", 20, "x.py", 1, "hello: a=%s", ("100%",), None)
        assert record.getMessage() == "hello: a=100% request=abc"
    finally:
        _current.set("")
