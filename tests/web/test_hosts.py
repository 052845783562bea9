"""Which hosts this site answers to, what a trusted proxy may say, and where redirects lead."""

import logging

import pytest
from pyramid.router import Router
from webtest import TestApp, TestResponse

from tests.support.accounts import heading
from tests.support.application import MakeApp
from tests.support.databases import on_sqlite
from tests.support.shop_settings import IN_PRODUCTION

pytestmark = on_sqlite
SHOP = IN_PRODUCTION["site.base_url"]
PROXY, CLIENT = "10.1.2.3", "198.51.100.7"


@pytest.fixture
def production(make_app: MakeApp, settings_values: dict[str, str]) -> Router:
    """A shop in production that also answers to two other names, behind proxies on 10.1.0.0/16."""
    return make_app(
        settings_values
        | IN_PRODUCTION
        | {
            "site.hosts": "www.shop.example.org, Pillarbox-App 192.0.2.9",
            "server.trusted_proxies": "10.1.0.0/16 127.0.0.1, ::1",
            "email.smtp_server": "relay.example.org",
        }
    )


def get(
    app: Router, host: str | None, path: str = "/", peer: str = CLIENT, **headers: str
) -> TestResponse:
    """The page that ``peer`` gets for this Host header; None sends none."""
    browser = TestApp(app)
    request = browser.RequestClass.blank(path, {"REMOTE_ADDR": peer}, headers=headers)
    del request.environ["HTTP_HOST"]
    if host is not None:
        request.environ["HTTP_HOST"] = host
    return browser.do_request(request, expect_errors=True)


@pytest.mark.parametrize(
    "host",
    [
        "shop.example.org",
        "SHOP.example.ORG",
        "shop.example.org:443",
        "shop.example.org:6543",
        "www.shop.example.org",
        "pillarbox-app:6543",
        "192.0.2.9",
    ],
)
def test_production_answers_to_its_own_names(production: Router, host: str) -> None:
    assert get(production, host).status_int == 200


UNKNOWN = [
    "evil.example",
    "evil.example:6543",
    "shop.example.org.evil.example",
    "evilshop.example.org",
    "example.org",
    "evil.example#shop.example.org",
    "shop.example.org@evil.example",
    "evil.example@shop.example.org",
    "shop.example.org:443@evil.example",
    "shop.example.org:",
    "shop.example.org, evil.example",
    "shop.example.org evil.example",
    "shop.example.org/",
    "localhost.evil.example",
    "evil.example:localhost",
    "127.0.0.1.evil.example",
    "[::1].evil.example",
    "[::1",
    "[1.2]",
    "]",
    "0.0.0.0",  # noqa: S104
    "\xff",
    "",
    None,
]


@pytest.mark.parametrize("host", UNKNOWN)
def test_no_other_host_is_answered(production: Router, app: Router, host: str | None) -> None:
    for shop in (production, app):
        for path in (
            "/",
            "/account",
            "/no-such-page",
            "/static/pillarbox.css",
            "/dev/mailbox.json",
        ):
            assert get(shop, host, path).status_int == 400


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "127.8.8.8:6543", "[::1]:80", "shop.localhost:1"]
)
def test_the_names_of_this_machine_are_for_development(
    production: Router, app: Router, host: str
) -> None:
    assert get(app, host).status_int == 200
    assert get(production, host).status_int == 400


def test_the_page_and_the_log_say_what_to_do(
    production: Router, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "app.web.hosts")
    page = get(production, "evil.example")
    assert heading(page) == "The shop has another address"
    assert f"Open it at {SHOP}." in page.text
    assert page.html.main.a["href"] == f"{SHOP}/"
    assert page.html.find("nav") is None
    [line] = [record.getMessage() for record in caplog.records if record.name == "app.web.hosts"]
    assert "neither in site.base_url nor in site.hosts: host='evil.example'" in line


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_supervisors_ask_under_any_name(production: Router, app: Router, path: str) -> None:
    for shop in (production, app):
        for host in ("10.0.0.5:6543", "evil.example", None):
            assert get(shop, host, path).status_int == 200
    assert get(production, "evil.example", f"{path}/x").status_int == 400


@pytest.mark.parametrize("host", ["www.shop.example.org", "pillarbox-app:6543"])
def test_redirects_start_with_the_base_url(production: Router, host: str) -> None:
    assert get(production, host, "/account").location == f"{SHOP}/sign-in?next=%2Faccount"


def test_redirects_keep_the_port_of_the_base_url(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    app = make_app(settings_values | {"site.base_url": "http://localhost:6543"})
    assert get(app, "127.0.0.1:8080", "/account").location.startswith("http://localhost:6543/sign")


# Proxies


@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.1.2.3", "127.0.0.1", "localhost", "::1"])
@pytest.mark.parametrize("upstream", ["127.0.0.1:6543", "backend:6543", "shop.example.org"])
def test_a_trusted_proxy_may_send_its_upstream_as_the_host(
    production: Router, peer: str, upstream: str
) -> None:
    headers = {"X-Forwarded-Host": "shop.example.org", "X-Forwarded-Proto": "https"}
    assert get(production, upstream, peer=peer, **headers).status_int == 200
    headers = {"X-Forwarded-Host": "evil.example"}
    assert get(production, upstream, peer=peer, **headers).status_int == 400


def test_of_several_forwarded_hosts_the_proxys_own_counts(production: Router) -> None:
    headers = {"X-Forwarded-Host": "evil.example, shop.example.org"}
    assert get(production, "backend", peer=PROXY, **headers).status_int == 200
    headers = {"X-Forwarded-Host": "shop.example.org, evil.example"}
    assert get(production, "backend", peer=PROXY, **headers).status_int == 400


def test_a_trusted_proxy_may_send_a_loopback_host_alone(production: Router) -> None:
    assert get(production, "127.0.0.1:6543", peer=PROXY).status_int == 200
    assert get(production, "backend:6543", peer=PROXY).status_int == 400


@pytest.mark.parametrize("peer", [CLIENT, "10.2.2.3", "", "nonsense", "::2"])
def test_nobody_else_is_believed(production: Router, peer: str) -> None:
    headers = {"X-Forwarded-Host": "shop.example.org", "Forwarded": "host=shop.example.org"}
    assert get(production, "backend", peer=peer, **headers).status_int == 400
    headers = {"X-Forwarded-Host": "evil.example"}
    assert get(production, "shop.example.org", peer=peer, **headers).status_int == 200


def test_the_clients_address_comes_from_a_trusted_proxy_alone(production: Router) -> None:
    def client(peer: str) -> str | None:
        browser = TestApp(production)
        headers = {"Host": "shop.example.org", "X-Forwarded-For": "203.0.113.1, 198.51.100.9"}
        response = browser.get("/", headers=headers, extra_environ={"REMOTE_ADDR": peer})
        return response.request.client_addr

    assert client(PROXY) == "198.51.100.9"
    assert client(CLIENT) == CLIENT


@pytest.mark.parametrize(
    ("forwarded", "client"),
    [
        ("198.51.100.9", "198.51.100.9"),
        ("127.0.0.1, 198.51.100.9", "198.51.100.9"),
        ("10.1.2.3, 10.1.2.4,198.51.100.9", "198.51.100.9"),
        ("198.51.100.8, 198.51.100.9, 10.1.2.4", "10.1.2.4"),
        ("unknown, ,evil, 198.51.100.9", "198.51.100.9"),
        ("198.51.100.8, 198.51.100.9:4711", "198.51.100.9"),
        ("198.51.100.8, 2001:db8::7", "2001:db8::7"),
    ],
)
def test_of_a_chain_of_addresses_only_the_proxys_own_entry_counts(
    production: Router, forwarded: str, client: str
) -> None:
    def client_of(peer: str) -> str | None:
        headers = {
            "X-Forwarded-For": forwarded,
            "Forwarded": "for=203.0.113.5",
            "X-Real-IP": "203.0.113.6",
            "X-Client-IP": "203.0.113.7",
        }
        environ = {"REMOTE_ADDR": peer, "HTTP_HOST": "shop.example.org"}
        page = TestApp(production).get("/", headers=headers, extra_environ=environ, status=200)
        return page.request.client_addr

    assert client_of(PROXY) == client
    assert client_of(CLIENT) == CLIENT


# Where forms come from


def over_tls(app: Router, host: str) -> TestApp:
    """A browser that sends Secure cookies."""
    return TestApp(app, extra_environ={"HTTP_HOST": host, "wsgi.url_scheme": "https"})


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("shop.example.org", SHOP, 422),
        ("www.shop.example.org", SHOP, 422),
        ("shop.example.org", "null", 422),
        ("evil.example", "http://evil.example", 400),
        ("www.shop.example.org", "https://www.shop.example.org", 400),
        ("shop.example.org", "http://shop.example.org", 400),
        ("shop.example.org", "https://shop.example.org:8443", 400),
        ("shop.example.org", "https://shop.example.org.evil.example", 400),
        ("shop.example.org", "", 400),
    ],
)
def test_the_origin_of_a_form_is_compared_with_the_base_url(
    production: Router, host: str, origin: str, status: int
) -> None:
    browser = over_tls(production, "shop.example.org")
    form = browser.get("/sign-in").forms[0]
    sent = {"email": "anna@example.org", "password": "x", "csrf_token": form["csrf_token"].value}
    headers = {"Host": host, "Origin": origin}
    page = browser.post("/sign-in", sent, headers=headers, expect_errors=True)
    assert page.status_int == status


def test_a_form_from_another_address_says_where_to_open_the_shop(production: Router) -> None:
    browser = over_tls(production, "shop.example.org")
    page = browser.post("/sign-in", {}, headers={"Origin": "https://evil.example"}, status=400)
    assert heading(page) == "This form was sent from another address"
    assert SHOP in page.html.main.get_text()


def test_the_usual_port_in_the_base_url_is_the_same_origin(
    make_app: MakeApp, settings_values: dict[str, str]
) -> None:
    app = make_app(settings_values | {"site.base_url": "https://localhost:443"})
    browser = over_tls(app, "localhost")
    token = browser.get("/sign-in").forms[0]["csrf_token"].value
    sent = {"email": "anna@example.org", "password": "x", "csrf_token": token}
    browser.post("/sign-in", sent, headers={"Origin": "https://localhost"}, status=422)
