"""Requests that no browser sends, octet by octet: none gets an answer of 500 or above, and none
leaves a traceback in the log (STANDARDS B11, B12).
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyramid.router import Router

from tests.support.databases import on_sqlite
from tests.support.raw_requests import Shop, serving
from tests.support.routes import example_paths

FORM = b"Content-Type: application/x-www-form-urlencoded"
MULTIPART = b"Content-Type: multipart/form-data; boundary=b"
PART = b'Content-Disposition: form-data; name="email"'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, migrated_sqlite: Path) -> Iterator[Shop]:
    """One server for all requests. 127.0.0.9 is its proxy."""
    folder = tmp_path_factory.mktemp("raw")
    shutil.copy(migrated_sqlite, folder / "pillarbox.sqlite")
    url = f"sqlite:///{folder / 'pillarbox.sqlite'}"
    with serving(folder, url, **{"server.trusted_proxies": "127.0.0.9"}) as shop:
        yield shop


@pytest.fixture(autouse=True)
def nothing_failed(shop: Shop) -> Iterator[None]:
    before = len(shop.log.read_text())
    yield
    logged = shop.log.read_text()[before:]
    assert "Traceback" not in logged
    assert "ERROR" not in logged


def request(
    first: bytes, *headers: bytes, body: bytes = b"", host: bytes | None = b"localhost"
) -> bytes:
    """A request whose connection ends with the answer."""
    lines = [first + b" HTTP/1.1", b"Connection: close", *headers]
    if host is not None:
        lines.append(b"Host: " + host)
    if body:
        lines.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


def status(shop: Shop, sent: bytes, client: str = "127.0.0.1") -> int:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", shop.ask(sent, client=client))
    assert found, "no answer"
    return int(found[1])


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST"])
@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (b"/\xff", 400),
        (b"/%ff", 400),
        (b"/confirm/%c3%28", 400),
        (b"/confirm/%ed%a0%80", 400),
        (b"/sign-in%00", 400),
        (b"/sign-in?next=%ff", 400),
        (b"/sign-in?next=\xff", 400),
        (b"/sign-in?%ff=1", 400),
        (b"/sign-in?next=%00", 400),
        (b"/sign-in?next=/a&next=/b", 400),
        (b"/sign-in?next[]=/a", 400),
        (b"/static/%ff.css", 400),
        (b"/static/%2e%2e/%2e%2e/production.ini", 404),
        (b"/static/../../production.ini", 404),
        (b"/static/%00", 400),
        (b"/healthz?a=%ff", 400),
    ],
)
def test_a_target_that_cannot_be_read(
    shop: Shop, method: bytes, target: bytes, expected: int
) -> None:
    answered = status(shop, request(method + b" " + target))
    # A static file has no POST.
    assert answered == (405 if (expected, method) == (404, b"POST") else expected)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ([FORM], b"email=%ff"),
        ([FORM], b"email=\xff"),
        ([FORM], b"%ff=a"),
        ([FORM], b"email=a&email=b"),
        ([FORM], b"csrf_token=a&csrf_token=b"),
        ([FORM], b"email[]=a"),
        ([FORM], b"email=%00"),
        ([FORM], b"&".join(b"f%d=1" % n for n in range(100_000))),
        ([FORM + b"; charset=utf-16"], b"email=a"),
        ([FORM + b"; charset=bogus"], b"email=a"),
        ([FORM + b"; charset=\xff"], b"email=a"),
        ([FORM, FORM], b"email=a"),
        ([FORM, MULTIPART], b"email=a"),
        ([b"Content-Type: multipart/form-data"], b"x"),
        ([b"Content-Type: multipart/form-data; boundary="], b"x"),
        ([b"Content-Type: multipart/form-data; boundary=\xff"], b"x"),
        ([MULTIPART], b"x"),
        ([MULTIPART], b"--b"),
        ([MULTIPART], b"--b\r\n" + PART),
        ([MULTIPART], b"--b\r\n" + PART + b"\r\n\r\na"),
        ([MULTIPART], b"--b\r\n" + PART + b"\r\n\r\n\xff\r\n--b--"),
        ([MULTIPART], b"--b\r\n" + PART + b"\r\nContent-Length: -5\r\n\r\na\r\n--b--"),
        ([MULTIPART], b"--b\r\n" + PART + b"\r\nContent-Length: 9999999\r\n\r\na\r\n--b--"),
        ([MULTIPART], (b"--b\r\n" + PART + b"\r\n\r\na\r\n") * 2 + b"--b--"),
        ([MULTIPART], b"--b\r\n" + PART + b'; filename="f"\r\n\r\na\r\n--b--'),
        ([MULTIPART], b"--b\r\n" + PART + b"\r\n\r\na\r\n" + b"x" * 100_000),
        ([b"Content-Type: application/json"], b'{"email": "a"}'),
        ([b"Content-Type: \xff"], b"email=a"),
        ([], b"email=a"),
        ([FORM, b"Content-Encoding: gzip"], b"\x1f\x8b\x08"),
    ],
)
@pytest.mark.parametrize("path", [b"/sign-in", b"/basket"])
def test_a_form_that_cannot_be_read(
    shop: Shop, path: bytes, headers: list[bytes], body: bytes
) -> None:
    assert status(shop, request(b"POST " + path, *headers, body=body)) == 400


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"Cookie: \xff", {200}),
        (b"Cookie: pillarbox-session=\xff", {200}),
        (b'Cookie: pillarbox-visitor="\\377"', {400}),
        (b"Cookie: pillarbox-visitor=eyJ9; pillarbox-visitor=%00", {200}),
        (b"Cookie: " + b"a=b; " * 3_000, {200}),
        (b"Cookie: =;=;;\t;", {200}),
        (b"Cookie: a=1\r\nCookie: \xff=2", {200}),
        (b"Accept-Language: \xff, de;q=x, *;q=9", {200}),
        (b"Accept-Language: " + b"de," * 10_000, {200}),
        (b"Range: bytes=9999999-1", {200}),
        (b"If-None-Match: \xff", {200}),
        (b"If-Modified-Since: \xff", {200}),
        (b"If-Modified-Since: Sun, 99 Nov 99999 00:00:00 GMT", {400}),
        (b"X-Forwarded-For: \xff", {200}),
        (b"Authorization: Basic \xff", {200}),
        (b"Expect: nonsense", {200}),
        (b"Upgrade: h2c", {200}),
        (b"X: " + b"y" * 66_000, {431}),
        (b"\r\n".join(b"X-%d: y" % n for n in range(9_000)), {431}),
        (b"Transfer-Encoding: gzip", {501}),
        (b"Content-Length: 1, 2", {400}),
        (b"Content-Length: 1\r\nContent-Length: 2", {400}),
        (b"Content-Length: \xb2", {400}),
        (b"Broken", {400}),
        (b": empty", {400}),
        (b"A B: c", {400}),
        (b"X: a\rb", {400}),
        (b"X: a\0b", {200, 400}),
    ],
)
@pytest.mark.parametrize("path", [b"/sign-in", b"/static/pillarbox.css"])
def test_an_odd_header(shop: Shop, path: bytes, header: bytes, expected: set[int]) -> None:
    assert status(shop, request(b"GET " + path, header)) in expected


@pytest.mark.parametrize(
    ("target", "host", "expected"),
    [
        (b"/", b"localhost", 200),
        (b"/", b"localhost:6543", 200),
        (b"/", b"LOCALHOST", 200),
        (b"/", b"evil.example", 400),
        (b"/", b"evil.example:6543", 400),
        (b"/", b"localhost.evil.example", 400),
        (b"/", b"localhost@evil.example", 400),
        (b"/", b"localhost:", 400),
        (b"/", b"localhost:port", 400),
        (b"/", b"localhost, evil.example", 400),
        (b"/", b"localhost\r\nHost: evil.example", 400),
        (b"/", b"evil.example\r\nHost: localhost", 400),
        (b"/", b"\xff", 400),
        (b"/", b"", 400),
        (b"/", None, 400),
        (b"http://localhost/", b"localhost", 200),
        (b"http://localhost/", b"evil.example", 200),
        (b"http://evil.example/", b"localhost", 400),
        (b"http://localhost@evil.example/", b"localhost", 400),
        (b"http://[::1", b"localhost", 400),
        (b"http:///", b"localhost", 400),
        (b"//evil.example/", b"localhost", 404),
        (b"//evil.example/sign-in.", b"localhost", 404),
        (b"*", b"localhost", 404),
        (b"?", b"localhost", 200),
        (b"sign-in", b"localhost", 404),
        (b"ftp://localhost/", b"localhost", 200),
        (b"ftp://evil.example/", b"localhost", 400),
    ],
)
def test_a_host(shop: Shop, target: bytes, host: bytes | None, expected: int) -> None:
    answered = shop.ask(request(b"GET " + target, host=host))
    assert answered.split(b" ")[1] == b"%d" % expected
    assert b"evil" not in answered


@on_sqlite
def test_head_and_trace_on_every_route(shop: Shop, app: Router) -> None:
    for path in example_paths(app).values():
        target = path.encode()
        get, head = (shop.ask(request(method + b" " + target)) for method in (b"GET", b"HEAD"))
        assert head.split(b" ")[1] == get.split(b" ")[1], path
        assert get.split(b" ")[1] < b"500", path
        assert head.partition(b"\r\n\r\n")[2] == b"", path
        trace = shop.ask(request(b"TRACE " + target, b"X-Secret: s3"))
        if path.startswith("/staff"):
            # Staff see these pages, and everybody else is told nothing about them.
            assert trace.split(b" ")[1] == b"404", path
        else:
            assert trace.split(b" ")[1] == b"405", path
            assert b"\r\nAllow: " in trace
        assert b"s3" not in trace


@pytest.mark.parametrize(
    "first", [b"CONNECT localhost:443", b"CONNECT /", b"OPTIONS *", b"PRI *", b"BREW /", b"TRACE *"]
)
def test_methods_of_other_programs(shop: Shop, first: bytes) -> None:
    assert status(shop, request(first)) in (404, 405)


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET\r\n\r\n", b"\0\r\n\r\n"]
)
def test_octets_that_are_no_request(shop: Shop, sent: bytes) -> None:
    assert status(shop, sent) == 400


@pytest.mark.parametrize(
    "forwarded",
    [b"", b",", b"\xff", b'"', b'"a', b"unknown", b"[::1", b"999.1.1.1", b"1.2.3.4, \xff" * 99],
)
def test_odd_words_of_a_trusted_proxy(shop: Shop, forwarded: bytes) -> None:
    sent = request(b"GET /", b"X-Forwarded-For: " + forwarded)
    assert status(shop, sent, client="127.0.0.9") in (200, 400)
