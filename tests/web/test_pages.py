"""What every page shares: headers, error pages, CSRF, and answers to damaged requests."""

import gc
import io
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from pyramid.router import Router
from sqlalchemy import select
from webtest import TestApp

from app.accounts.models import Account
from app.database.errors import DatabaseBusy
from tests.support.accounts import ANNA, PASSWORD, add_account, heading, sign_in
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.databases import on_sqlite

pytestmark = on_sqlite
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"


class Workshop:
    """An application of ``app.web`` and the test's own views."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.config = Configurator(settings=dict(settings))
        self.config.include("app.database")
        self.config.include("app.web")

    def view(self, path: str, view: Callable[[Request], Any], **options: Any) -> None:
        self.config.add_route(path, path)
        self.config.add_view(view, route_name=path, **options)

    def browser(self) -> TestApp:
        return another_browser(self.config.make_wsgi_app())


@pytest.fixture
def workshop(settings_values: dict[str, str]) -> Iterator[Workshop]:
    workshop = Workshop(settings_values)
    yield workshop
    workshop.config.registry.database.dispose()


# Headers


def test_every_page_carries_the_security_headers(browser: TestApp) -> None:
    for path in ("/sign-in", "/no-such-page", "/static/pillarbox.css"):
        headers = browser.get(path, status="*").headers
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert "camera=()" in headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in headers


def test_a_view_may_set_a_header_itself(workshop: Workshop) -> None:
    policy = "default-src 'none'; frame-src 'self'"
    workshop.view("/x", lambda request: Response("", headers={"Content-Security-Policy": policy}))
    assert workshop.browser().get("/x").headers["Content-Security-Policy"] == policy


def test_pages_have_no_inline_script_or_style(browser: TestApp) -> None:
    html = browser.get("/sign-up").html
    assert all(script.has_attr("src") for script in html.find_all("script"))
    assert html.find_all("style") == html.select("[style]") == []


def test_static_files_are_kept_for_a_year_under_an_address_of_their_content(
    browser: TestApp,
) -> None:
    address = browser.get("/sign-in").html.find("link", rel="stylesheet")["href"]
    assert "?v=" in address
    headers = browser.get(address).headers
    assert "max-age=31536000" in headers["Cache-Control"]
    assert "Set-Cookie" not in headers


def test_a_page_without_a_form_sets_no_cookie(browser: TestApp) -> None:
    assert "Set-Cookie" not in browser.get("/").headers


# Structure


@pytest.mark.parametrize("path", ["/sign-up", "/sign-in", "/forgot-password", "/no-such-page"])
def test_a_page_has_its_landmarks_and_one_heading(browser: TestApp, path: str) -> None:
    html = browser.get(path, status="*").html
    assert html.html["lang"] == "en"
    assert [len(html.find_all(name)) for name in ("header", "nav", "main", "footer", "h1")] == [
        1
    ] * 5
    assert html.find("a")["href"] == "#main"
    assert html.find(id="main").name == "main"
    assert html.title.get_text().startswith(html.h1.get_text())


def test_the_navigation_follows_who_is_there(browser: TestApp, app: Router) -> None:
    add_account(app.registry.database)
    assert "Sign in" in browser.get("/sign-in").html.nav.get_text()
    sign_in(browser)
    navigation = browser.get("/account").html.nav
    assert "Sign in" not in navigation.get_text()
    assert navigation.find(attrs={"aria-current": "page"}).get_text() == "Account"


# Errors


def test_a_page_that_does_not_exist_says_so_in_the_shops_style(browser: TestApp) -> None:
    page = browser.get("/no-such-page", status=404)
    assert heading(page) == "Page not found"
    assert page.html.find("nav")


def test_our_own_failure_is_logged_with_its_traceback_and_told_without(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(request: Request) -> None:
        raise RuntimeError("a screw is loose")

    workshop.view("/x/{token}", fail)
    page = workshop.browser().get("/x/a-secret-token", status=500)
    assert heading(page) == "Something went wrong on our side"
    assert "screw" not in page.text
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert "RuntimeError: a screw is loose" in record.getMessage()
    assert "in fail" in record.getMessage()
    assert "a-secret-token" not in caplog.text
    assert "/x/{token}" in record.getMessage()


def test_a_failure_keeps_nothing_of_what_the_request_told_the_cookie(workshop: Workshop) -> None:
    def fail(request: Request) -> None:
        request.visitor.set_quantity("letter-paper", 1)
        raise RuntimeError

    workshop.view("/x", fail)
    assert "Set-Cookie" not in workshop.browser().get("/x", status=500).headers


def test_what_is_worth_a_second_try_is_tried_again(workshop: Workshop) -> None:
    tries = []

    def busy_at_first(request: Request) -> Response:
        tries.append(request)
        if len(tries) < 3:
            raise DatabaseBusy("database is locked")
        return Response("done")

    workshop.view("/x", busy_at_first)
    assert workshop.browser().get("/x").text == "done"


def test_a_database_that_stays_busy_says_when_to_try_again(workshop: Workshop) -> None:
    def busy(request: Request) -> None:
        raise DatabaseBusy("database is locked")

    workshop.view("/x", busy)
    page = workshop.browser().get("/x", status=503)
    assert page.html.h1
    assert page.headers["Retry-After"] == "10"


@pytest.mark.parametrize("error", [RuntimeError("x"), DatabaseBusy("database is locked")])
def test_a_failed_page_says_nothing_about_a_change_unless_one_was_sent(
    workshop: Workshop, error: Exception
) -> None:
    def fail(request: Request) -> None:
        raise error

    workshop.view("/x", fail, require_csrf=False)
    browser = workshop.browser()
    words = re.compile("saved|changed|change", re.IGNORECASE)
    assert not words.search(browser.get("/x", status="5*").html.main.text)
    assert words.search(browser.post("/x", status="5*").html.main.text)


def test_a_failing_commit_gets_the_page_too(
    workshop: Workshop, caplog: pytest.LogCaptureFixture
) -> None:
    def two_of_one_key(request: Request) -> HTTPSeeOther:
        for _ in range(2):
            request.dbsession.add(
                Account(
                    address=ANNA,
                    address_key=ANNA,
                    password_hash="hash",
                    locale="en",
                    created_at=request.now,
                )
            )
        return HTTPSeeOther("/elsewhere")

    workshop.view("/x", two_of_one_key, require_csrf=False)
    page = workshop.browser().post("/x", status=500)
    assert heading(page) == "Something went wrong on our side"
    assert "IntegrityError" in caplog.text
    assert ANNA not in caplog.text


def test_a_redirect_that_is_raised_is_a_redirect_and_rolls_back(
    browser: TestApp, workshop: Workshop
) -> None:
    def redirect(request: Request) -> None:
        request.dbsession.execute(select(1))
        raise HTTPSeeOther("/elsewhere")

    workshop.view("/x", redirect)
    assert workshop.browser().get("/x", status=303).location == "http://localhost/elsewhere"


def test_a_body_over_one_megabyte_is_refused(browser: TestApp) -> None:
    # Otherwise WebOb copies the body into a file that only the garbage collector closes.
    environ = {"webob.is_body_seekable": True}
    body = b"x" * (1024 * 1024 + 1)
    page = browser.post("/sign-in", body, extra_environ=environ, status=413)
    assert heading(page) == "Your request is too large"


# CSRF


def fields(browser: TestApp) -> dict[str, str]:
    token = browser.get("/sign-in").forms[0]["csrf_token"].value
    return {"email": ANNA, "password": PASSWORD, "csrf_token": token}


@pytest.mark.parametrize(
    "path", ["/sign-in", "/sign-up", "/forgot-password", "/sign-out", "/basket"]
)
def test_a_form_without_its_token_is_refused_with_help(browser: TestApp, path: str) -> None:
    page = browser.post(path, {"email": ANNA, "password": PASSWORD}, status=400)
    assert heading(page) == "This form has expired"


def test_a_token_of_another_visitor_is_refused(browser: TestApp, app: Router) -> None:
    elsewhere = another_browser(app)
    sent = fields(elsewhere)
    browser.get("/sign-in")
    browser.post("/sign-in", sent, status=400)


def test_the_token_is_asked_for_before_permission(browser: TestApp) -> None:
    browser.post("/checkout", {}, status=400)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://[", "Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_form_sent_by_another_site_is_refused(browser: TestApp, headers: dict[str, str]) -> None:
    browser.post("/sign-in", fields(browser), headers=headers, status=400)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "null"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "null"},
    ],
)
def test_our_own_form_is_taken(browser: TestApp, headers: dict[str, str]) -> None:
    browser.post("/sign-in", fields(browser), headers=headers, status=422)


# Damaged requests (STANDARDS B11, B12)


def status_of(app: Router, **environ: Any) -> int:
    """The status of a request that no client library would send."""
    body = environ.pop("body", b"")
    environ = {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body)), **environ}
    setup_testing_defaults(environ)
    statuses: list[str] = []
    response = app(environ, lambda status, headers, exc_info=None: statuses.append(status))
    list(response)
    if hasattr(response, "close"):
        response.close()
    return int(statuses[0][:3])


@pytest.mark.parametrize(
    "environ",
    [
        {"PATH_INFO": "/\xff"},
        {"PATH_INFO": "/confirm/\xff"},
        {"PATH_INFO": "/sign-in\0"},
        {"QUERY_STRING": "next=%ff"},
        {"QUERY_STRING": "next=\xff"},
        {"QUERY_STRING": "next=/a&next=/b"},
        {"QUERY_STRING": "next[]=/a"},
        {"QUERY_STRING": "next=%00"},
        {"HTTP_COOKIE": 'x="\\377"'},
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_damaged_address_is_a_bad_request(
    app: Router, environ: dict[str, str], method: str
) -> None:
    assert status_of(app, **{"PATH_INFO": "/sign-in", "REQUEST_METHOD": method} | environ) == 400


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (FORM, b"email=%ff"),
        (FORM, b"email=\xff"),
        (FORM, b"email=a&email=b"),
        (FORM, b"email[]=a"),
        (FORM, b"email[0]=a&email[1]=b"),
        (FORM, b"email=%00"),
        (FORM, b"_charset_=bogus&email=a"),
        (FORM + "; charset=bogus", b"email=a"),
        (FORM + "; charset=utf-16", b"email=a"),
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=", b"x"),
        ("multipart/form-data; boundary=\xff", b"x"),
        (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="email"\r\n\r\n\xff\r\n--x--'),
        (MULTIPART, b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\na\r\n--x--'),
        (MULTIPART, b"--x\r\nContent-Disposition: form-data\r\n\r\na\r\n--x--"),
        (MULTIPART, b"--x\r\nContent-Type: multipart/mixed\r\n\r\na\r\n--x--"),
        (
            MULTIPART,
            b'--x\r\nContent-Disposition: form-data; name="email"; filename="f"\r\n\r\na\r\n--x--',
        ),
        (MULTIPART + "; charset=utf-16", b"--x--"),
        ("text/plain", b"email=a"),
        ("application/json", b'{"email": "a"}'),
        ("\xff", b"email=a"),
    ],
)
def test_a_damaged_form_is_a_bad_request(app: Router, content_type: str, body: bytes) -> None:
    environ = {"PATH_INFO": "/sign-in", "REQUEST_METHOD": "POST", "CONTENT_TYPE": content_type}
    assert status_of(app, body=body, **environ) == 400


@pytest.mark.parametrize(
    "cookie",
    ["pillarbox-visitor=\xff", "pillarbox-visitor=eeee", "pillarbox-session=\xff", "=;=", "\0"],
)
def test_an_unreadable_cookie_is_a_new_visitor(app: Router, cookie: str) -> None:
    assert status_of(app, PATH_INFO="/sign-in", HTTP_COOKIE=cookie) == 200


@pytest.mark.parametrize("header", ["HTTP_HOST", "HTTP_ORIGIN", "HTTP_REFERER", "HTTP_ACCEPT"])
@pytest.mark.parametrize("value", ["\xff", "[", "x:y", "http://[::"])
@pytest.mark.parametrize("path", ["/sign-in", "/no-such-page", "/account", "/static/pillarbox.css"])
def test_odd_headers_are_no_failure_of_ours(
    app: Router, header: str, value: str, path: str
) -> None:
    assert status_of(app, PATH_INFO=path, **{header: value}) < 500


def test_a_redirect_stays_on_https_behind_a_proxy(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    app = make_app(settings_values | {"site.base_url": "https://localhost"})
    browser = another_browser(app)
    assert browser.get("/account", status=303).location.startswith("https://")


@pytest.mark.parametrize(
    "part",
    [
        b'Content-Type: text/plain; charset=utf-7\r\nContent-Disposition: form-data; name="email"'
        b"\r\n\r\n+2AA-",
        b'Content-Disposition: form-data; name="email"\r\nContent-Type: multipart/mixed; '
        b"boundary=b\r\n\r\n" + b"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" * 500,
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_form_of_odd_parts_is_turned_away(browser: TestApp, part: bytes) -> None:
    body = b"--a\r\n" + part + b"\r\n--a--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=a"}
    assert browser.post("/sign-in", body, headers=headers, expect_errors=True).status_int == 400
    # Collect now, while the test expects cgi's warning about its open files.
    gc.collect()


def test_a_date_that_cannot_be_is_turned_away(browser: TestApp) -> None:
    path = re.search(r'href="([^"]+\.css[^"]*)"', browser.get("/").text)
    assert path
    headers = {"If-Modified-Since": "Sun, 99 Nov 99999 00:00:00 GMT"}
    assert browser.get(path[1], headers=headers, expect_errors=True).status_int == 400
