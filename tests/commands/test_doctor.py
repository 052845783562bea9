"""``pillarbox doctor``: what it prints, and how it ends."""

import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.commands import send_test
from app.mail.outbox.event_tables import Event
from app.mail.testing import Mailbox
from tests.mail.events.test_hearing import about, tell
from tests.support.certificates import Certificate
from tests.support.databases import on_sqlite
from tests.support.outbox import Outbox
from tests.support.pillarbox_command import Pillarbox
from tests.support.relay import Relay, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.shop_settings import write_ini
from tests.support.token_server import CLIENT_SECRET, REFRESH_TOKEN, TokenServer
from tests.support.waiting import eventually

doctor = sys.modules["app.commands.doctor"]
"""The module. In its package, the name means the command."""
ADA = "ada@example.org"


@on_sqlite
@pytest.mark.usefixtures("outbox")
def test_it_shows_where_each_setting_came_from_and_no_secret(
    pillarbox: Pillarbox,
    tmp_path: Path,
    sending_values: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "token").write_text("a secret that nobody may see")
    monkeypatch.setenv("PILLARBOX_METRICS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("PILLARBOX_SITE_NAME", "Another name")
    ini = write_ini(tmp_path / "shop.ini", sending_values)
    printed = " ".join(pillarbox("doctor", ini).stdout.split())
    assert "site.name the environment variable PILLARBOX_SITE_NAME Another name" in printed
    assert "metrics.token the file of PILLARBOX_METRICS_TOKEN_FILE (secret)" in printed
    assert "secret shop.ini (secret)" in printed
    assert "email.connections default 2" in printed
    secrets = [sending_values["secret"], sending_values["email.smtp_password"], "nobody may see"]
    assert not any(secret in printed for secret in secrets)


def test_brief_prints_nothing_when_all_is_well(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], outbox: object
) -> None:
    values = sending_values | {"email.return_path": "bounces+{tag}@example.org"}
    ini = write_ini(tmp_path / "shop.ini", values)
    assert pillarbox("doctor", ini, "--brief").output == ""


def test_a_problem_ends_it_with_code_1(
    pillarbox: Pillarbox, ini: Path, unmigrated: Callable[[], None]
) -> None:
    unmigrated()
    printed = pillarbox("doctor", ini, "--brief", code=1).output
    assert "problem  database   database not migrated" in printed
    assert f"pillarbox migrate {ini}" in printed


@on_sqlite
@pytest.mark.usefixtures("outbox", "alone")
def test_send_waits_for_the_relay(pillarbox: Pillarbox, ini: Path, relay: Relay) -> None:
    printed = pillarbox("doctor", ini, "--send", ADA).stdout
    assert "The relay accepted the email: 250" in printed
    assert "Nobody reports whether it is delivered, because email.events is not set." in printed
    assert len(relay.received) == 1


@on_sqlite
def test_with_a_problem_nothing_is_sent_and_the_command_says_so(
    pillarbox: Pillarbox, tmp_path: Path, sending_values: dict[str, str], outbox: Outbox
) -> None:
    ini = write_ini(tmp_path / "wrong.ini", sending_values | {"email.smtp_password": "wrong"})
    ran = pillarbox("doctor", ini, "--send", ADA, code=1)
    assert ran.stdout.endswith("No test email was sent, because of the problem above.\n")
    assert ran.stderr.endswith("1 problem found.\n")
    assert Mailbox(outbox.registry.database).all() == []


@pytest.fixture
def by_postmark(tmp_path: Path, sending_values: dict[str, str]) -> Path:
    """The .ini file of a shop whose service reports deliveries."""
    reported = {"email.events": "postmark", "email.events_secret": "s" * 32}
    return write_ini(tmp_path / "postmark.ini", sending_values | reported)


@contextmanager
def hearing(outbox: Outbox, *events: Event) -> Iterator[None]:
    """The service reports these events, one after the other, once the test email is sent."""
    box = Mailbox(outbox.registry.database)

    def hear() -> None:
        eventually(lambda: [email.state for email in box.all()] == ["sent"], what="a sent email")
        report(outbox, *events)

    with ThreadPoolExecutor() as pool:
        heard = pool.submit(hear)
        yield
        heard.result()


def report(outbox: Outbox, *events: Event) -> None:
    """Report these events about the only email."""
    [email] = Mailbox(outbox.registry.database).all()
    for event in events:
        tell(outbox, about(outbox, email, event, code="5.1.1", words="no such user"))


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command does not wait for another worker to deliver the email, and looks often."""
    monkeypatch.setattr(send_test, "OTHERS_SECONDS", 0.0)
    monkeypatch.setattr(doctor, "LOOK_SECONDS", 0.01)


@on_sqlite
@pytest.mark.usefixtures("alone")
def test_send_waits_until_the_service_reports_the_delivery(
    pillarbox: Pillarbox, by_postmark: Path, outbox: Outbox
) -> None:
    with hearing(outbox, Event.DEFERRED, Event.DELIVERED):
        printed = pillarbox("doctor", by_postmark, "--send", ADA).stdout
    assert printed.splitlines()[-2:] == [
        "The relay accepted the email: 250 2.0.0 taken",
        "The recipient's server accepted the email.",
    ]


@on_sqlite
@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("event", [Event.BOUNCED, Event.REJECTED])
@pytest.mark.parametrize("is_early", [False, True])
def test_send_reports_that_the_email_was_not_delivered(
    pillarbox: Pillarbox,
    by_postmark: Path,
    outbox: Outbox,
    relay: Relay,
    event: Event,
    is_early: bool,
) -> None:
    if is_early:
        # The service may be faster than the relay's verdict.
        relay.before_verdict = lambda: report(outbox, event)
        ran = pillarbox("doctor", by_postmark, "--send", ADA, code=1)
    else:
        with hearing(outbox, Event.DEFERRED, event):
            ran = pillarbox("doctor", by_postmark, "--send", ADA, code=1)
    assert "The relay accepted the email: 250 2.0.0 taken" in ran.stdout
    assert ran.stderr == "Error: The email was not delivered: 5.1.1 no such user\n"


@on_sqlite
@pytest.mark.usefixtures("alone")
def test_send_ends_when_the_service_reports_nothing_in_time(
    pillarbox: Pillarbox, by_postmark: Path, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "DELIVERED_SECONDS", 0.3)
    with hearing(outbox, Event.DEFERRED, Event.AUTORESPONDED):
        ran = pillarbox("doctor", by_postmark, "--send", ADA, code=1)
    assert "postmark reported nothing within 0 seconds" in ran.stderr
    assert "Check its webhook, and the mailbox." in ran.stderr


@on_sqlite
@pytest.mark.usefixtures("outbox")
def test_with_a_token_the_relays_login_is_checked_and_no_token_is_printed(
    pillarbox: Pillarbox, tmp_path: Path, settings_values: dict[str, str], certificate: Certificate
) -> None:
    live: set[str] = set()
    with (
        TokenServer(certificate, live=live) as tokens,
        ScriptedSMTP(certificate, mechanisms="XOAUTH2", tokens=live) as relay,
    ):
        values = settings_values | through(relay) | tokens.settings(REFRESH_TOKEN)
        ran = pillarbox("doctor", write_ini(tmp_path / "token.ini", values))
    assert "answers, and the login was accepted" in ran.stdout
    assert "email.smtp_oauth_refresh_token" in ran.stdout
    for secret in (CLIENT_SECRET, REFRESH_TOKEN, *live):
        assert secret not in ran.output
