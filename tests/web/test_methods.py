"""Every route refuses the methods that it has no view for, and says which it has."""

import pytest
from pyramid.interfaces import IRoutesMapper
from pyramid.router import Router
from webtest import TestApp, TestResponse

from tests.support.accounts import add_account, heading, sign_in
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.routes import example_paths

pytestmark = on_sqlite

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]


def ask(browser: TestApp, method: str, path: str) -> TestResponse:
    return browser.request(path, method=method, expect_errors=True)


def allowed(response: TestResponse) -> set[str]:
    return set(response.headers["Allow"].split(", "))


def test_every_route_answers_every_method_with_its_view_or_with_405(
    browser: TestApp, app: Router
) -> None:
    paths = example_paths(app)
    assert len(paths) == len(app.registry.getUtility(IRoutesMapper).get_routes())
    assert {"/", "/sign-out", "/static/pillarbox.css", "/healthz", "/dev/mailbox"} <= set(
        paths.values()
    )
    for route, path in paths.items():
        responses = {method: ask(browser, method, path) for method in METHODS}
        if path.startswith("/staff"):
            # For everybody else these pages do not exist.
            assert {response.status_int for response in responses.values()} == {404}, route
            continue
        refused = {method for method, response in responses.items() if response.status_int == 405}
        answered = set(METHODS) - refused
        assert answered, route
        assert answered <= {"GET", "HEAD", "POST"}, route
        assert ("HEAD" in answered) == ("GET" in answered), route
        for method in refused:
            assert allowed(responses[method]) == answered, (route, method)
        assert max(response.status_int for response in responses.values()) < 500, route


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/", {"GET", "HEAD"}),
        ("/sign-in", {"GET", "HEAD", "POST"}),
        ("/sign-out", {"POST"}),
        ("/orders/123/resend-receipt", {"POST"}),
        ("/static/pillarbox.css", {"GET", "HEAD"}),
        ("/static/no-such-file", {"GET", "HEAD"}),
        ("/healthz", {"GET", "HEAD"}),
        ("/readyz", {"GET", "HEAD"}),
        ("/robots.txt", {"GET", "HEAD"}),
        ("/dev/mailbox.json", {"GET", "HEAD"}),
        ("/dev/mailbox", {"GET", "HEAD", "POST"}),
    ],
)
def test_allow_names_the_methods_of_the_views(
    browser: TestApp, path: str, methods: set[str]
) -> None:
    assert allowed(ask(browser, "DELETE", path)) == methods


def test_the_page_is_in_the_shops_style_and_says_what_to_do(browser: TestApp) -> None:
    page = ask(browser, "GET", "/sign-out")
    assert page.status_int == 405
    assert heading(page) == "This address belongs to a button or a form"
    assert "Go back" in page.html.main.text
    assert page.html.find("nav")


def test_a_post_to_a_page_without_a_form_is_not_asked_for_a_token(
    browser: TestApp, app: Router
) -> None:
    for path in ("/", "/products/letter-paper", "/static/pillarbox.css", "/healthz", "/account"):
        assert ask(browser, "POST", path).status_int == 405
    add_account(app.registry.database)
    sign_in(browser)
    assert ask(browser, "POST", "/orders").status_int == 405


@pytest.mark.parametrize("path", ["/no-such-page", "/orders/1/2/3"])
def test_a_path_without_a_route_is_not_found(browser: TestApp, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        assert ask(browser, method, path).status_int == 404


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "BREW"])
@pytest.mark.parametrize("path", ["/", "/sign-in", "/static/pillarbox.css", "/no-such-page"])
def test_methods_that_no_page_has_are_refused_everywhere(
    app: Router, method: str, path: str
) -> None:
    # WebTest warns of methods that it does not know.
    browser = TestApp(app, extra_environ={"HTTP_HOST": "localhost"}, lint=False)
    response = browser.request(path, method=method, headers={"X-Secret": "s3"}, status=405)
    assert "GET" in allowed(response)
    assert "s3" not in response.text


def test_the_paths_of_the_mailbox_are_not_found_where_emails_are_sent(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    shop = TestApp(
        make_app(settings_values | {"email.debug": "false", "email.smtp_server": "relay.test"}),
        extra_environ={"HTTP_HOST": "localhost"},
    )
    assert ask(shop, "PUT", "/sign-in").status_int == 405
    assert ask(shop, "PUT", "/dev/mailbox").status_int == 404
