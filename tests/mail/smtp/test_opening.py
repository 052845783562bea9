"""How a session with the relay opens: the look-up of its name, EHLO, STARTTLS and AUTH."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.mail.smtp import sockets
from app.mail.smtp.mailer import Mailer, RelayUnavailable, Timeouts
from app.settings import load
from app.settings.hosts import address_literal
from tests.support.relay import PASSWORD, USERNAME, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.shop_settings import shop_settings
from tests.support.smtp_script import At, Fault


def connect(relay: ScriptedSMTP, *, seconds: float = 5, **changes: str) -> None:
    """Open a session, with some of the settings ``email.smtp_*`` changed."""
    values = shop_settings("sqlite://") | through(relay)
    values |= {f"email.smtp_{name}": value for name, value in changes.items()}
    settings = load(values, here=Path.cwd(), source="shop.ini", environ={}).email
    with closing(Mailer(settings, Timeouts(seconds, seconds, seconds))) as mailer:
        mailer.connect()


def problem(relay: ScriptedSMTP, **changes: Any) -> RelayUnavailable:
    with pytest.raises(RelayUnavailable) as caught:
        connect(relay, **changes)
    return caught.value


# --- EHLO -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "shop_web_1.shop_internal",
        "laptop.",
        ".laptop.example.org",
        "laptop",
        "web..example.org",
        "10.0.0.5",
        "shop.5",
        "Ann's laptop.local",
        "-web.example.org",
        "web-.example.org",
        "büro.example.org",
        "b\udcfcro.example.org",
        f"{'a' * 64}.example.org",
        ".".join(["a" * 49] * 6),
        "web\n.example.org",
        "web.example.org\n",
        "",
    ],
)
def test_a_name_that_strict_relays_refuse_is_not_sent(
    scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    with scripted as relay:
        connect(relay)
    assert relay.hellos == ["[127.0.0.1]"] * 2


@pytest.mark.parametrize(
    "name", ["web-1.shop.example.org", "1.example.org", "WEB.Example.ORG", "a.b", "x.xn--p1ai"]
)
def test_a_machines_own_domain_name_is_sent(
    scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    with scripted as relay:
        connect(relay)
    assert relay.hellos == [name] * 2


@pytest.mark.parametrize("name", ["mail.example.org", "[192.0.2.1]", "[IPv6:2001:db8::1]"])
def test_the_settings_name_another(
    scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "web.example.org")
    with scripted as relay:
        connect(relay, hello=name)
    assert relay.hellos == [name] * 2


def test_the_address_literal_is_that_of_the_connections_own_end(
    scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop")
    from_another = socket.create_connection
    monkeypatch.setattr(
        sockets,
        "connect",
        lambda host, port, seconds: from_another((host, port), seconds, ("127.0.0.9", 0)),
    )
    with scripted as relay:
        connect(relay)
    assert relay.hellos == ["[127.0.0.9]"] * 2


@pytest.mark.parametrize(
    ("address", "literal"),
    [
        ("192.0.2.1", "[192.0.2.1]"),
        ("2001:db8::1", "[IPv6:2001:db8::1]"),
        ("fe80::1%eth0", "[IPv6:fe80::1]"),
    ],
)
def test_an_address_literal_is_written_as_rfc_5321_has_it(address: str, literal: str) -> None:
    assert address_literal(address) == literal


# --- The look-up of the name -----------------------------------------------------------


@pytest.fixture
def name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Answers no look-up before the event is set."""
    answers = threading.Event()
    look_up = socket.getaddrinfo

    def getaddrinfo(*arguments: Any, **options: Any) -> Any:
        answers.wait(60)
        return look_up("127.0.0.1", *arguments[1:], **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield answers
    answers.set()


@pytest.mark.usefixtures("name_server")
def test_a_slow_look_up_counts_into_the_connect_timeout_and_is_named(
    scripted: ScriptedSMTP,
) -> None:
    with scripted as relay:
        started = time.monotonic()
        told = problem(relay, server="relay.example.org", seconds=0.3)
        assert time.monotonic() - started < 5
    assert str(told) == (
        "connect: the name relay.example.org could not be looked up: no answer within 0.3 seconds;"
        " check this machine's name servers"
    )


def test_a_name_that_does_not_exist_is_named(scripted: ScriptedSMTP) -> None:
    with scripted as relay:
        told = problem(relay, server="no-such-relay.invalid")
    assert str(told).startswith("connect: the name no-such-relay.invalid could not be looked up: ")


def test_an_address_that_never_answers_leaves_time_for_the_next_one(
    scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack, scripted as relay:
        # Linux drops the connections that a full queue has no place for.
        silent = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(silent.getsockname())
        addresses = [silent.getsockname(), ("127.0.0.1", relay.port)]
        monkeypatch.setattr(
            socket,
            "getaddrinfo",
            lambda *_, **__: [(socket.AF_INET, socket.SOCK_STREAM, 6, "", it) for it in addresses],
        )
        sock = sockets.connect("relay.example.org", 25, 1)
        with sock:
            assert sock.getpeername() == addresses[1]
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        del addresses[1]
        with pytest.raises(TimeoutError):
            sockets.connect("relay.example.org", 25, 0.2)


# --- STARTTLS ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    ["454 4.7.0 TLS not available", "501 5.5.4 no", "500 what?", "502 5.5.1 no", "250 OK", "334 x"],
)
def test_a_refused_starttls_reads_like_any_other_refusal(
    scripted: ScriptedSMTP, reply: str
) -> None:
    with replace(scripted, faults=(Fault(At.STARTTLS, reply),)) as relay:
        told = problem(relay)
    assert str(told) == f"starttls: the relay refused: {reply}"
    assert relay.logins == []


# --- AUTH --------------------------------------------------------------------------------


@pytest.fixture
def checking(scripted: ScriptedSMTP) -> ScriptedSMTP:
    """A relay that checks names and passwords. It is not started."""
    return replace(scripted, tokens=set())


def mechanisms(relay: ScriptedSMTP) -> list[str]:
    return [login.split()[1] for login in relay.logins]


@pytest.mark.parametrize("offered", ["PLAIN", "LOGIN", "LOGIN PLAIN", "login", "CRAM-MD5 LOGIN"])
def test_a_password_logs_in_by_plain_or_else_by_login(checking: ScriptedSMTP, offered: str) -> None:
    with replace(checking, mechanisms=offered) as relay:
        connect(relay)
    assert mechanisms(relay) == ["PLAIN" if "PLAIN" in offered else "LOGIN"]
    assert relay.violations == []


@pytest.mark.parametrize("reply", ["504 5.5.4 unknown", "504 5.7.4 Unrecognized", "504 what?"])
def test_a_relay_that_does_not_know_plain_is_tried_with_login(
    checking: ScriptedSMTP, reply: str
) -> None:
    with replace(checking, faults=(Fault(At.AUTH, reply),)) as relay:
        connect(relay)
    assert mechanisms(relay) == ["PLAIN", "LOGIN"]
    assert relay.connections == 1


@pytest.mark.parametrize("reply", ["535 5.7.8 wrong", "454 4.7.0 later", "530 5.7.0 no"])
def test_after_another_refusal_login_is_not_tried(checking: ScriptedSMTP, reply: str) -> None:
    with replace(checking, faults=(Fault(At.AUTH, reply),)) as relay:
        told = problem(relay)
    assert str(told) == f"auth: the relay refused the login: {reply}"
    assert mechanisms(relay) == ["PLAIN"]
    assert relay.connections == 1


def test_a_relay_that_knows_none_of_what_it_offers_is_told(checking: ScriptedSMTP) -> None:
    faults = tuple(Fault(At.AUTH, "504 5.5.4 unknown", time=time) for time in (1, 2))
    with replace(checking, faults=faults) as relay:
        told = problem(relay)
    assert str(told) == "auth: the relay refused the login: 504 5.5.4 unknown"
    assert mechanisms(relay) == ["PLAIN", "LOGIN"]


def test_a_relay_that_offers_neither_is_told(checking: ScriptedSMTP) -> None:
    with replace(checking, mechanisms="CRAM-MD5") as relay:
        told = problem(relay)
    assert str(told) == "auth: the relay offers neither AUTH PLAIN nor AUTH LOGIN"


def test_a_long_password_waits_for_the_challenge(checking: ScriptedSMTP) -> None:
    with checking as relay:
        told = problem(relay, password="p" * 600)
    assert str(told) == "auth: the relay refused the login: 535 5.7.8 wrong"
    assert relay.logins == ["AUTH PLAIN"]


def test_a_relay_that_quotes_the_password_does_not_bring_it_into_the_reason(
    scripted: ScriptedSMTP,
) -> None:
    reply = f"535 5.7.8 {PASSWORD} is wrong for {USERNAME}"
    with replace(scripted, faults=(Fault(At.AUTH, reply),)) as relay:
        told = problem(relay)
    assert (
        str(told) == f"auth: the relay refused the login: 535 5.7.8 <...> is wrong for {USERNAME}"
    )
