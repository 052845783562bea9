"""The login with OAuth 2.0: tokens from a token server, and a relay that checks them."""

import base64
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pyramid.router import Router
from sqlalchemy import text

from app.database.base import Base
from app.mail.smtp import oauth
from app.mail.smtp.mailer import Mailer, RelayUnavailable, Timeouts
from app.settings import load
from app.settings.declarations import Email
from tests.support.application import MakeApp
from tests.support.certificates import Certificate, issue
from tests.support.outbox import Outbox
from tests.support.ports import free_port
from tests.support.relay import USERNAME, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.shop_settings import shop_settings
from tests.support.smtp_script import At, Fault
from tests.support.token_server import (
    CLIENT_ID,
    CLIENT_SECRET,
    REFRESH_TOKEN,
    SCOPE,
    TokenServer,
)
from tests.support.workers import impatient

INVALID_GRANT = 400, {"error": "invalid_grant", "error_description": f"{REFRESH_TOKEN} is old"}


@pytest.fixture
def tokens(certificate: Certificate) -> Iterator[TokenServer]:
    with TokenServer(certificate) as server:
        yield server


@pytest.fixture
def scripted(certificate: Certificate, tokens: TokenServer) -> ScriptedSMTP:
    """A relay that takes the live tokens of ``tokens`` and no password. It is not started."""
    return ScriptedSMTP(certificate, mechanisms="XOAUTH2 OAUTHBEARER", tokens=tokens.live)


def email_settings(relay: ScriptedSMTP, tokens: TokenServer, **changes: str) -> Email:
    values = shop_settings("sqlite://") | through(relay) | tokens.settings()
    named = {f"email.smtp_{name}": value for name, value in changes.items()}
    return load(values | named, here=Path.cwd(), source="shop.ini", environ={}).email


def source_of(tokens: TokenServer, **changes: str) -> oauth.Tokens:
    """The process's tokens of this server."""
    values = {"port": "1", "server": "relay.example.org"}
    source = oauth.tokens_for(
        email_settings(ScriptedSMTP(tokens.certificate), tokens, **(values | changes))
    )
    assert source is not None
    return source


Connect = Callable[..., None]


@pytest.fixture
def connect(tokens: TokenServer) -> Connect:
    """Log in at a relay over a new connection."""

    def connect(relay: ScriptedSMTP, **changes: str) -> None:
        settings = email_settings(relay, tokens, **changes)
        with closing(Mailer(settings, Timeouts(5, 5, 5))) as mailer:
            mailer.connect()

    return connect


@pytest.fixture
def impatiently(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token server has half a second."""
    monkeypatch.setattr(oauth, "_SECONDS", 0.5)


def reason(connect: Connect, relay: ScriptedSMTP, **changes: str) -> str:
    """Why no connection gets ready."""
    with pytest.raises(RelayUnavailable) as caught:
        connect(relay, **changes)
    assert not any(secret in str(caught.value) for secret in (CLIENT_SECRET, REFRESH_TOKEN))
    return str(caught.value)


# --- Both grants, both mechanisms -----------------------------------------------


@pytest.mark.parametrize("mechanisms", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_logs_in_with_the_mechanism_that_the_relay_offers(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer, mechanisms: str
) -> None:
    with replace(scripted, mechanisms=f"PLAIN {mechanisms} LOGIN") as relay:
        connect(relay)
    assert [login.split()[1] for login in relay.logins] == [mechanisms]
    assert relay.violations == []
    assert tokens.requests == [
        {
            "grant_type": "client_credentials",
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "scope": SCOPE,
        }
    ]


def test_xoauth2_is_preferred_and_oauthbearer_follows_a_504(
    connect: Connect, scripted: ScriptedSMTP
) -> None:
    fault = Fault(At.AUTH, "504 5.7.4 Unrecognized authentication type")
    with replace(scripted, faults=(fault,)) as relay:
        connect(relay)
    assert [login.split()[1] for login in relay.logins] == ["XOAUTH2", "OAUTHBEARER"]


def test_with_a_refresh_token_that_is_the_grant(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    with scripted as relay:
        connect(relay, oauth_refresh_token=REFRESH_TOKEN)
    [form] = tokens.requests
    assert form["grant_type"] == "refresh_token"
    assert form["refresh_token"] == REFRESH_TOKEN


def test_a_newer_refresh_token_is_used_until_it_is_refused(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    granted = {"access_token": "granted", "expires_in": 0, "refresh_token": "newer"}
    tokens.live.add("granted")
    tokens.answers = [(200, granted), INVALID_GRANT]
    with scripted as relay:
        connect(relay, oauth_refresh_token=REFRESH_TOKEN)
        reason(connect, relay, oauth_refresh_token=REFRESH_TOKEN)
        connect(relay, oauth_refresh_token=REFRESH_TOKEN)
    used = [form["refresh_token"] for form in tokens.requests]
    assert used == [REFRESH_TOKEN, "newer", REFRESH_TOKEN]


@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_long_token_waits_for_the_challenge(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer, mechanism: str
) -> None:
    # RFC 4954 4: an AUTH command has 512 octets at most. Microsoft's tokens have about 2000.
    token = "ey" + "J0" * 1000
    tokens.live.add(token)
    tokens.answers = [(200, {"access_token": token, "token_type": "bearer"})]
    with replace(scripted, mechanisms=mechanism) as relay:
        connect(relay)
    assert relay.logins == [f"AUTH {mechanism}"]


def test_a_name_with_a_comma_is_written_as_the_mechanism_wants(
    scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    said: list[str] = []
    relay = replace(scripted, mechanisms="OAUTHBEARER", tokens=None)
    with relay:
        settings = email_settings(relay, tokens, username="a=b,c@example.org")
        with closing(Mailer(settings)) as mailer:
            mailer.connect()
        said += relay.logins
    assert base64.b64decode(said[0].split()[2]) == (
        f"n,a=a=3Db=2Cc@example.org,\1host=127.0.0.1\1port={relay.port}"
        "\1auth=Bearer token-1\1\1".encode()
    )


def test_a_relay_without_either_mechanism_gets_no_token(
    connect: Connect, scripted: ScriptedSMTP
) -> None:
    with replace(scripted, mechanisms="PLAIN LOGIN") as relay:
        told = reason(connect, relay)
    assert told == "auth: the relay offers neither AUTH XOAUTH2 nor AUTH OAUTHBEARER"
    assert relay.logins == []


def test_a_relay_without_tls_gets_no_token(connect: Connect, scripted: ScriptedSMTP) -> None:
    with replace(scripted, starttls=False) as relay:
        assert "does not offer STARTTLS" in reason(connect, relay)
    assert relay.logins == []


# --- How long a token is used -----------------------------------------------------


def test_all_connections_of_a_process_share_one_token(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    with scripted as relay, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: connect(relay), range(8)))
    assert len(tokens.requests) == 1
    assert relay.connections == 8


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("lifetime", "good_for"),
    [(600, 540), ("600", 540), (90.5, 30.5), (None, 3540), ("soon", 3540), (-5, 3540), (30, 0)],
)
def test_a_token_is_renewed_a_minute_before_its_end(
    tokens: TokenServer,
    monkeypatch: pytest.MonkeyPatch,
    lifetime: Any,
    good_for: float,
) -> None:
    clock = Clock()
    monkeypatch.setattr(oauth, "time", clock)
    tokens.lifetime = lifetime
    source = source_of(tokens)
    assert source.get() == "token-1"
    if good_for:
        clock.now += good_for - 0.1
        assert source.get() == "token-1"
        clock.now += 0.1
    assert source.get() == "token-2"


def test_while_no_new_token_comes_the_present_one_is_used_to_its_end(
    tokens: TokenServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(oauth, "time", clock)
    source = source_of(tokens)
    source.get()
    tokens.answers = [(503, b""), (503, b"")]
    clock.now += 3599
    assert source.get() == "token-1"
    clock.now += 1
    with pytest.raises(oauth.SessionFailed, match="the answer is 503"):
        source.get()
    assert source.get() == "token-4"


@pytest.mark.parametrize("closes", [True, False], ids=["closes", "stays"])
@pytest.mark.parametrize("mechanism", ["XOAUTH2", "OAUTHBEARER"])
def test_a_token_that_was_revoked_is_renewed_once(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer, mechanism: str, closes: bool
) -> None:
    relay = replace(scripted, mechanisms=mechanism, closes_after_refused_login=closes)
    with relay:
        connect(relay)
        tokens.live.clear()
        connect(relay)
    assert [form["grant_type"] for form in tokens.requests] == ["client_credentials"] * 2


def test_a_relay_that_refuses_a_new_token_too_rests_and_no_token_is_told(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    with replace(scripted, tokens=set()) as relay:
        told = reason(connect, relay)
    # This relay quotes what it refuses.
    assert told.startswith("auth: the relay refused the login: 535 5.7.3 Authentication unsucc")
    assert "token-" not in told
    assert relay.logins[-1].split()[2] not in told
    assert len(tokens.requests) == 2


@pytest.mark.parametrize("reply", ["454 4.7.0 Temporary authentication failure", "534 5.7.9 no"])
def test_another_refusal_than_535_renews_no_token(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer, reply: str
) -> None:
    with replace(scripted, faults=(Fault(At.AUTH, reply),)) as relay:
        assert reply in reason(connect, relay)
    assert len(tokens.requests) == 1
    assert relay.connections == 1


# --- A token server that fails ------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((500, b"<h1>Internal Server Error</h1>"), "the answer is 500"),
        ((503, {"error": "temporarily_unavailable"}), "the answer is 503 temporarily_unavailable"),
        ((429, b""), "the answer is 429"),
        ((200, b"<h1>Hello</h1>"), "the answer is not a JSON object; check email.smtp_oauth_tok"),
        ((200, b""), "the answer is not a JSON object; check email.smtp_oauth_token_url"),
        ((200, b"[" * 60_000), "the answer is not a JSON object; check email.smtp_oauth_token_url"),
        ((200, b"\xff\xfe\xfd"), "the answer is not a JSON object; check email.smtp_oauth_token_"),
        ((200, ["token"]), "the answer is not a JSON object; check email.smtp_oauth_token_url"),
        ((200, {"token_type": "Bearer"}), "the answer holds no access token; check email.smtp_oa"),
        ((200, {"access_token": 7}), "the answer holds no access token; check email.smtp_oauth_to"),
        ((200, {"access_token": ""}), "the answer holds no access token; check email.smtp_oauth_t"),
        ((200, {"access_token": "a\r\nRSET"}), "the answer holds no access token; check email.s"),
        ((200, {"access_token": "a\1auth=b"}), "the answer holds no access token; check email.s"),
        ((200, {"access_token": "tökén"}), "the answer holds no access token; check email.smtp_o"),
        (
            (200, {"access_token": "a", "token_type": "mac"}),
            "the answer holds a token of another type than Bearer",
        ),
        ((200, b" " * 70_000), "the answer has more than 65536 octets"),
        (INVALID_GRANT, "the answer is 400 invalid_grant; email.smtp_oauth_refresh_token has exp"),
        (
            (
                401,
                {
                    "error": "invalid_client",
                    "error_description": f"AADSTS7000215: Invalid client secret {CLIENT_SECRET}",
                },
            ),
            "the answer is 401 invalid_client AADSTS7000215; check email.smtp_oauth_client_id",
        ),
        ((400, {"error": f"no {CLIENT_SECRET}"}), "the answer is 400"),
        ((400, {"error": [CLIENT_SECRET], "error_description": 5}), "the answer is 400"),
        ((302, b""), "the answer is 302; redirects are not followed, so check email.smtp_oauth_"),
        ((307, b""), "the answer is 307; redirects are not followed, so check email.smtp_oauth_"),
    ],
)
def test_an_answer_without_a_token_is_told_with_its_cure(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer, answer: Any, told: str
) -> None:
    tokens.answers = [answer]
    tokens.headers = {"Location": tokens.url}
    with scripted as relay:
        assert reason(connect, relay).startswith(f"auth: no token from 127.0.0.1: {told}")
    assert len(tokens.requests) == 1
    assert relay.connections == 0


def test_a_wrong_secret_is_told_and_not_shown(connect: Connect, scripted: ScriptedSMTP) -> None:
    # This token server quotes what it refuses.
    with scripted as relay, pytest.raises(RelayUnavailable) as caught:
        connect(relay, oauth_client_secret="wr0ng-secret")
    assert "401 invalid_client; check email.smtp_oauth_client_id" in str(caught.value)
    assert "wr0ng" not in str(caught.value)


@pytest.mark.usefixtures("impatiently")
def test_a_token_server_that_never_answers_is_given_up(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    tokens.before = lambda: tokens.ended.wait(20)
    with scripted as relay:
        assert reason(connect, relay).endswith("no answer within 0.5 seconds")


@pytest.mark.usefixtures("impatiently")
def test_an_answer_that_trickles_in_for_ever_is_given_up(
    connect: Connect, scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    tokens.trickles = True
    with scripted as relay:
        assert reason(connect, relay).endswith("no answer within 0.5 seconds")


@pytest.mark.usefixtures("impatiently")
def test_a_token_server_that_takes_no_connection_is_given_up_for_all_who_wait(
    tokens: TokenServer,
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=8) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/token"
        source = source_of(tokens, oauth_token_url=url)
        barrier = threading.Barrier(4)

        def get(_: int) -> str:
            barrier.wait()
            with pytest.raises(oauth.SessionFailed) as caught:
                source.get()
            return str(caught.value)

        with ThreadPoolExecutor(4) as pool:
            told = set(pool.map(get, range(4)))
        assert told == {"no token from 127.0.0.1: no answer within 0.5 seconds"}
        assert source._requests == 1


@pytest.mark.usefixtures("impatiently")
def test_a_slow_look_up_of_the_token_servers_name_is_named(
    connect: Connect, scripted: ScriptedSMTP, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: ended.wait(60) and [])
    with scripted as relay:
        told = reason(connect, relay, oauth_token_url="https://login.example.org/token")
    ended.set()
    assert "the name login.example.org could not be looked up: no answer within 0.5" in told
    assert relay.connections == 0


def test_the_token_server_has_ten_seconds() -> None:
    assert oauth._SECONDS == 10


def test_a_token_server_that_is_down_is_told(connect: Connect, scripted: ScriptedSMTP) -> None:
    with scripted as relay:
        told = reason(connect, relay, oauth_token_url=f"https://127.0.0.1:{free_port()}/token")
    assert told == "auth: no token from 127.0.0.1: Connection refused"


def test_a_token_server_without_tls_is_told(connect: Connect, scripted: ScriptedSMTP) -> None:
    with scripted as relay:
        # A relay greets in clear.
        told = reason(connect, relay, oauth_token_url=f"https://127.0.0.1:{relay.port}/token")
    assert told == "auth: no token from 127.0.0.1: it does not speak TLS"


@pytest.mark.parametrize("octets", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-"])
def test_a_server_that_does_not_speak_http_is_told(
    connect: Connect, scripted: ScriptedSMTP, octets: bytes
) -> None:
    context = scripted.tls
    with socket.create_server(("127.0.0.1", 0)) as listening, scripted as relay:

        def answer() -> None:
            with context.wrap_socket(listening.accept()[0], server_side=True) as sock:
                sock.recv(65536)
                sock.sendall(octets)

        thread = threading.Thread(target=answer)
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/token"
        told = reason(connect, relay, oauth_token_url=url)
        thread.join()
    assert told.startswith("auth: no token from 127.0.0.1: ")


@pytest.mark.parametrize("whose", ["a stranger's", "another host's"])
def test_a_token_server_with_a_wrong_certificate_gets_no_secret(
    scripted: ScriptedSMTP,
    tokens: TokenServer,
    other_certificate: Certificate,
    tmp_path: Path,
    whose: str,
) -> None:
    shown = other_certificate
    if whose == "another host's":
        shown = issue(tmp_path, "elsewhere", "elsewhere.example.org")
    with scripted as relay, TokenServer(shown) as server:
        trusted = {} if whose == "a stranger's" else {"ca_file": str(shown.ca)}
        settings = email_settings(relay, server, **trusted)
        with (
            closing(Mailer(settings)) as mailer,
            pytest.raises(RelayUnavailable, match=r"127\.0\.0\.1: certificate verify failed"),
        ):
            mailer.connect()
    assert server.requests == []
    assert relay.connections == 0


def test_the_token_server_is_verified_by_the_systems_authorities_too(
    certificate: Certificate,
) -> None:
    context = oauth.web_tls_context(str(certificate.ca))
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    system = len(ssl.create_default_context().get_ca_certs())
    assert len(context.get_ca_certs()) == system + 1


# --- In a worker ------------------------------------------------------------------


def rows(app: Router) -> str:
    """Every row of every table."""
    with app.registry.database.transaction(write=False) as session:
        return "".join(
            str(session.execute(text(f"SELECT * FROM {table.name}")).all())  # noqa: S608
            for table in Base.metadata.sorted_tables
        )


def test_a_relay_that_quotes_the_token_does_not_bring_it_into_a_row_or_the_log(
    make_app: MakeApp,
    settings_values: dict[str, str],
    scripted: ScriptedSMTP,
    tokens: TokenServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with replace(scripted, tokens=set()) as relay, caplog.at_level(logging.DEBUG):
        app = make_app(settings_values | through(relay) | tokens.settings())
        outbox = Outbox(app.registry)
        email = outbox.write()
        worker = impatient(app.registry, 5)
        worker.run_once()
        worker.stop()
        assert (outbox.row(email).state, outbox.row(email).attempts) == ("queued", 0)
        stored = caplog.text + rows(app)
    assert "auth: the relay refused the login: 535 5.7.3 Authentication unsuccessful" in stored
    for login in relay.logins:
        assert login.split()[2] not in stored
    assert "token-" not in stored


@pytest.mark.parametrize("answer", [(500, b"no"), INVALID_GRANT, (200, b"{")])
def test_without_a_token_the_relay_rests_and_no_secret_is_stored_or_logged(
    make_app: MakeApp,
    settings_values: dict[str, str],
    scripted: ScriptedSMTP,
    tokens: TokenServer,
    caplog: pytest.LogCaptureFixture,
    answer: Any,
) -> None:
    tokens.answers = [answer]
    with scripted as relay, caplog.at_level(logging.DEBUG):
        app = make_app(settings_values | through(relay) | tokens.settings(REFRESH_TOKEN))
        outbox = Outbox(app.registry)
        email = outbox.write()
        worker = impatient(app.registry, 5)
        worker.run_once()
        row = outbox.row(email)
        assert (row.state, row.attempts) == ("queued", 0)
        assert (row.reason or "").startswith("waits for the relay: auth: no token from 127.0.0.1: ")
        app.registry.clock.advance(timedelta(minutes=5))
        worker.run_once()
        worker.stop()
    assert outbox.row(email).state == "sent"
    stored = caplog.text + rows(app)
    assert USERNAME not in caplog.text.replace("customer", "")
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, "token-2"):
        assert secret not in stored
    assert "token received: server=127.0.0.1 lifetime_seconds=3600" in caplog.text


def test_no_transaction_is_open_while_the_token_server_is_asked(
    make_app: MakeApp, settings_values: dict[str, str], scripted: ScriptedSMTP, tokens: TokenServer
) -> None:
    with scripted as relay:
        app = make_app(settings_values | through(relay) | tokens.settings())
        outbox = Outbox(app.registry)
        emails = [outbox.write(1)]
        # On SQLite a transaction that writes would wait for one that is open.
        tokens.before = lambda: emails.append(outbox.write(2))
        worker = impatient(app.registry, 5)
        worker.run_once()
        worker.stop()
    assert [outbox.row(email).state for email in emails] == ["sent", "sent"]
    assert len(tokens.requests) == 1
