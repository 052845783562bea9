"""What search engines read: descriptions of public pages, and which pages to leave out."""

from urllib.robotparser import RobotFileParser

import pytest
from pyramid.router import Router
from webtest import TestApp

from tests.support.databases import on_sqlite
from tests.support.shopping import stock

pytestmark = on_sqlite


@pytest.mark.parametrize("path", ["/", "/products/envelopes", "/sign-in", "/sign-up", "/basket"])
def test_a_page_describes_itself(browser: TestApp, app: Router, path: str) -> None:
    stock(app.registry.database)
    page = browser.get(path)
    [description] = page.html.select("meta[name=description]")
    assert 40 <= len(description["content"]) <= 300
    assert "<" not in description["content"]


def test_two_pages_have_two_descriptions(browser: TestApp, app: Router) -> None:
    stock(app.registry.database)
    paths = ("/", "/products/envelopes", "/products/postcards", "/sign-in", "/sign-up")
    found = {
        browser.get(path).html.select_one("meta[name=description]")["content"] for path in paths
    }
    assert len(found) == len(paths)


def test_search_engines_find_the_shop_and_leave_out_what_is_private(browser: TestApp) -> None:
    response = browser.get("/robots.txt")
    assert response.content_type == "text/plain"
    assert "Set-Cookie" not in response.headers
    robots = RobotFileParser()
    robots.parse(response.text.splitlines())
    for path in ("/", "/products/envelopes", "/sign-in", "/sign-up", "/pages/imprint", "/static/x"):
        assert robots.can_fetch("*", path)
    for path in (
        "/basket", "/checkout", "/orders", "/orders/ABCD", "/account", "/account/preferences",
        "/payments/test/x", "/confirm/x", "/reset-password/x", "/sign-up/sent",
        "/forgot-password/sent", "/dev/mailbox",
    ):  # fmt: skip
        assert not robots.can_fetch("*", path)
