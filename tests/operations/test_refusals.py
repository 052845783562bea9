"""What the server answers when a request does not reach the application."""

import pytest

from tests.support.raw_requests import Serve

HOST = b"Host: localhost\r\n"
EMPTY_CHUNKED = b"POST /sign-in HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
SETUP = "import app.operations.connections as c; c.REQUEST_SECONDS = 1"
FAILING = """
import app.web.request_id as module

def fail(handler, registry):
    def tween(request):
        raise RuntimeError("a screw is loose")
    return tween

module.request_id_tween = fail
"""


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", b"400 Bad Request"),
        (b"GET / HTTP/1.1\r\n" + HOST + b"no colon\r\n\r\n", b"400 Bad Request"),
        (b"get / HTTP/1.1\r\n" + HOST + b"\r\n", b"400 Bad Request"),
        (b"GET http://[::1 HTTP/1.1\r\n" + HOST + b"\r\n", b"400 Bad Request"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", b"400 Bad Request"),
        (EMPTY_CHUNKED + b"chunked\r\n\r\nzz\r\n", b"400 Bad Request"),
        (EMPTY_CHUNKED + b"gzip\r\n\r\n", b"501 Not Implemented"),
        (
            b"GET / HTTP/1.1\r\n" + HOST + b"X-Y: " + b"y" * 70_000 + b"\r\n\r\n",
            b"431 Request Header Fields Too Large",
        ),
        (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\n" + HOST, b"431 Request Header Fields"),
        (
            b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3000000\r\n\r\n",
            b"413 Request Entity Too Large",
        ),
        (b"POST / HTTP/1.1\r\n" + HOST, b"408 Request Timeout"),
    ],
)
def test_a_refusal_is_short_and_protected(serve: Serve, sent: bytes, status: bytes) -> None:
    with serve(setup=SETUP) as shop:
        response = shop.ask(sent)
        log = shop.log.read_text()
    assert_is_protected(response, status)
    assert "Traceback" not in log


def test_so_is_the_answer_when_the_application_raises(serve: Serve) -> None:
    settings = {"site.base_url": "https://localhost"}
    with serve(setup=FAILING, **settings) as shop:
        response = shop.ask(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    assert_is_protected(response, b"500 Internal Server Error")
    assert b"screw" not in response
    assert b"Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n" in response


def assert_is_protected(response: bytes, status: bytes) -> None:
    head, _, body = response.partition(b"\r\n\r\n")
    first, *headers = head.split(b"\r\n")
    assert first.partition(b" ")[2].startswith(status)
    assert {
        b"X-Content-Type-Options: nosniff",
        b"Content-Security-Policy: default-src 'none'; frame-ancestors 'none'",
        b"Cache-Control: no-store",
        b"Referrer-Policy: no-referrer",
        b"Content-Type: text/plain; charset=utf-8",
        b"Connection: close",
    } <= set(headers)
    assert b"waitress" not in response.lower()
    assert not any(line.startswith((b"Server", b"Via")) for line in headers)
    assert body.decode().strip() == first.partition(b" ")[2].partition(b" ")[2].decode()
