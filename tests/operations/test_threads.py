"""Requests that hash a password wait for each other, and no page waits for them."""

import re
import select
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from urllib.parse import urlencode

import pytest
from pyramid.router import Router

from app.operations import threads
from app.web.hashing_paths import hashes_password
from tests.support.accounts import ANNA, PASSWORD
from tests.support.databases import on_sqlite
from tests.support.raw_requests import Serve, Shop, answer
from tests.support.routes import example_paths

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
LAST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def blocked_until(exists: Path) -> str:
    """Statements that let every hashing of a password wait until this file exists."""
    return f"""
import pathlib, threading, time
import app.accounts.passwords as passwords

passwords._hashing_slots = threading.Semaphore(0)

def unblock():
    while not pathlib.Path({str(exists)!r}).exists():
        time.sleep(0.01)
    passwords._hashing_slots.release(1000)

threading.Thread(target=unblock, daemon=True).start()
"""


def sign_in(shop: Shop, path: str = "/sign-in") -> bytes:
    """The octets of a form that signs in."""
    page = shop.ask("GET /sign-in HTTP/1.0\r\nHost: localhost\r\n\r\n").decode()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    cookie = re.search(r"(?i)set-cookie: ([^;]+)", page)
    assert token
    assert cookie
    body = urlencode({"csrf_token": token[1], "email": ANNA, "password": PASSWORD})
    head = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Cookie: {cookie[1]}",
        "Content-Type: application/x-www-form-urlencoded",
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*head, "", body]).encode()


@pytest.mark.parametrize("path", ["/sign-in", "//sign-in", "/sign%2Din"])
def test_pages_are_answered_while_every_sign_in_waits(
    serve: Serve, tmp_path: Path, path: str
) -> None:
    unblocked = tmp_path / "unblocked"
    with serve(setup=blocked_until(unblocked)) as shop:
        form = sign_in(shop, path)
        waiting = [shop.connect("127.0.0.1", form) for _ in range(8)]
        for _ in range(3):
            shop.seconds_of_a_page("127.0.0.1")
        assert select.select(waiting, [], [], 0)[0] == []
        unblocked.touch()
        for connection in waiting:
            assert connection.recv(65_536).startswith(b"HTTP/1.1 422")


def test_the_requests_of_one_connection_are_answered_in_their_order(
    serve: Serve, tmp_path: Path
) -> None:
    unblocked = tmp_path / "unblocked"
    with serve(setup=blocked_until(unblocked)) as shop:
        form = sign_in(shop)
        connection = shop.connect("127.0.0.1", HEALTH + form + HEALTH + form + LAST)
        first = b""
        while not first.endswith(b"ok\n"):
            first += connection.recv(65_536)
        shop.seconds_of_a_page("127.0.0.1")
        assert select.select([connection], [], [], 0)[0] == []
        unblocked.touch()
        responses = first + answer(connection)
    statuses = re.findall(rb"HTTP/1.1 (\d+)", responses)
    assert statuses == [b"200", b"422", b"200", b"422", b"200"]


def test_the_server_ends_while_sign_ins_wait(serve: Serve, tmp_path: Path) -> None:
    with serve(setup=blocked_until(tmp_path / "never")) as shop:
        form = sign_in(shop)
        for _ in range(4):
            shop.connect("127.0.0.1", form)
        shop.seconds_of_a_page("127.0.0.1")
        shop.process.terminate()
        assert shop.process.wait(30) == 0


@on_sqlite
def test_every_view_that_hashes_a_password_is_known(app: Router) -> None:
    paths = example_paths(app)
    views = [view["introspectable"] for view in app.registry.introspector.get_category("views")]
    hashing = {view["route_name"] for view in views if may_hash(view["callable"])}
    assert {"sign_in", "sign_up", "confirm", "reset_password", "reauthenticate"} <= hashing
    unknown = {name for name in hashing if not hashes_password(app.registry, "POST", paths[name])}
    assert unknown == set()


def may_hash(view: Callable[..., object]) -> bool:
    """Whether the view, or a function of accounts that it calls, hashes a password."""
    names: set[str] = set()
    functions: list[object] = [view]
    while functions:
        function = functions.pop()
        if not isinstance(function, FunctionType):
            continue
        for name in set(function.__code__.co_names) - names:
            names.add(name)
            called = function.__globals__.get(name)
            if getattr(called, "__module__", "").startswith("app.accounts"):
                functions.append(called)
    return not names.isdisjoint({"hash_password", "verify_password"})


@on_sqlite
@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("POST", "/sign-in", True),
        ("POST", "/sign-up", True),
        ("POST", "/confirm/some-token", True),
        ("POST", "/reset-password/some-token", True),
        ("POST", "/account/confirm", True),
        ("POST", "/account/password", True),
        ("POST", "/account/delete", True),
        ("GET", "/sign-in", False),
        ("POST", "/sign-up/sent", False),
        ("POST", "/sign-in/code", False),
        ("POST", "/sign-out", False),
        ("POST", "/basket", False),
    ],
)
def test_what_hashes_a_password(app: Router, method: str, path: str, expected: bool) -> None:
    assert hashes_password(app.registry, method, path) is expected


class Connection:
    """A connection whose request takes this long by the given clock, in seconds."""

    def __init__(self, clock: list[float], seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds

    def service(self) -> None:
        self._clock[0] += self._seconds


@pytest.mark.parametrize(("took", "rest"), [(0.002, 0.028), (0.03, 0), (1.5, 0)])
def test_a_refused_try_has_its_thread_as_long_as_a_hash(
    monkeypatch: pytest.MonkeyPatch, took: float, rest: float
) -> None:
    """So a flood of refused tries leaves pages their time. A real hash waits for nothing."""
    clock, rests = [100.0], []
    monkeypatch.setattr(threads.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(threads.time, "sleep", rests.append)
    threads._AsLongAsAHash(Connection(clock, took)).service()
    assert rests == [pytest.approx(rest)]
