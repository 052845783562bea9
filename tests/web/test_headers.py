"""Every response carries the security headers (STANDARDS B10): pages, files, redirects and errors
of every kind.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPForbidden, HTTPGone, HTTPSeeOther
from pyramid.request import Request
from pyramid.response import Response
from webtest import TestApp, TestResponse

from app.database.errors import DatabaseBusy
from app.web.limits import LimitReached
from tests.support.databases import on_sqlite

pytestmark = on_sqlite

SHOP = "https://shop.example.org"
MakeShop = Callable[..., TestApp]


def fail(request: Request) -> Response:
    errors = {
        "403": HTTPForbidden,
        "410": HTTPGone,
        "429": lambda: LimitReached(timedelta(minutes=1)),
        "500": RuntimeError,
        "503": lambda: DatabaseBusy("database is locked"),
        "303": lambda: HTTPSeeOther("/elsewhere"),
    }
    raise errors[request.matchdict["error"]]()


@pytest.fixture
def make_shop(settings_values: dict[str, str]) -> Iterator[MakeShop]:
    """A shop that is served over HTTPS, whose page ``/fail/{error}`` raises that error."""
    made: list[Configurator] = []

    def make(**settings: str) -> TestApp:
        config = Configurator(settings=settings_values | {"site.base_url": SHOP} | settings)
        made.append(config)
        config.include("app.database")
        config.include("app.web")
        config.include("app.operations.health")
        config.add_route("fail", "/fail/{error}")
        config.add_view(fail, route_name="fail", request_method="GET")
        config.add_view(fail, route_name="fail", request_method="POST")
        environ = {"HTTP_HOST": "shop.example.org", "webob.is_body_seekable": True}
        return TestApp(config.make_wsgi_app(), extra_environ=environ)

    yield make
    for config in made:
        config.registry.database.dispose()


def assert_is_protected(response: TestResponse, *, hsts: str = "; includeSubDomains") -> None:
    headers = response.headers
    assert headers.getall("Strict-Transport-Security") == [f"max-age=31536000{hsts}"]
    (policy,) = headers.getall("Content-Security-Policy")
    assert policy.startswith("default-src 'none'")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers.getall("X-Content-Type-Options") == ["nosniff"]
    assert headers["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cache-Control"]
    assert "Server" not in headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/robots.txt", 200),
        ("/healthz", 200),
        ("/static/pillarbox.css", 200),
        ("/static/no-such-file.css", 404),
        ("/static/../setup.py", 404),
        ("/no-such-page", 404),
        ("/fail/303", 303),
        ("/robots.txt.", 303),
        ("/fail/403", 403),
        ("/fail/410", 410),
        ("/fail/429", 429),
        ("/fail/500", 500),
        ("/fail/503", 503),
        ("/robots.txt?a=%ff", 400),
        ("/static/pillarbox.css?a=1&a=2", 400),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_answers_to_a_get(make_shop: MakeShop, method: str, path: str, status: int) -> None:
    response = make_shop().request(path, method=method, status=status)
    assert_is_protected(response)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/fail/303", "a=1", 400),
        ("/fail/303", "a=%ff", 400),
        ("/fail/303", "a=1&a=2", 400),
        ("/fail/303", "x" * (1024 * 1024 + 1), 413),
        ("/robots.txt", "a=1", 405),
        ("/static/pillarbox.css", "a=1", 405),
        ("/no-such-page", "a=1", 404),
    ],
)
def test_answers_to_a_post(make_shop: MakeShop, path: str, body: str, status: int) -> None:
    assert_is_protected(make_shop().post(path, body, status=status))


def test_answers_to_a_file_that_the_browser_has(make_shop: MakeShop) -> None:
    shop = make_shop()
    modified = shop.get("/static/pillarbox.css").headers["Last-Modified"]
    headers = {"If-Modified-Since": modified}
    assert_is_protected(shop.get("/static/pillarbox.css", headers=headers, status=304))


@pytest.mark.parametrize("path", ["/robots.txt", "/static/pillarbox.css", "/no-such-page"])
def test_answers_to_another_host(make_shop: MakeShop, path: str) -> None:
    environ = {"HTTP_HOST": "evil.example"}
    assert_is_protected(make_shop().get(path, extra_environ=environ, status=400))


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "DELETE"])
def test_answers_to_other_methods(make_shop: MakeShop, method: str) -> None:
    assert_is_protected(make_shop().request("/robots.txt", method=method, status=405))


@pytest.mark.parametrize("path", ["/robots.txt", "/static/pillarbox.css", "/fail/500"])
def test_the_subdomains_can_be_left_out(make_shop: MakeShop, path: str) -> None:
    shop = make_shop(**{"site.hsts": "host"})
    assert_is_protected(shop.get(path, status="*"), hsts="")


def test_a_site_without_https_promises_none(make_shop: MakeShop) -> None:
    shop = make_shop(**{"site.base_url": "http://shop.example.org"})
    assert "Strict-Transport-Security" not in shop.get("/robots.txt").headers
