"""A relay that attacks, or an attacker between us and the relay."""

import logging
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.support.application import MakeApp
from tests.support.outbox import Outbox
from tests.support.relay import PASSWORD, through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.smtp_script import DROP, GARBAGE, STALL, At, Fault
from tests.support.workers import impatient


@pytest.fixture
def deliver(
    make_app: MakeApp, settings_values: dict[str, str]
) -> Callable[..., list[tuple[str, int, str | None]]]:
    """Deliver emails to these recipients once. Returns state, attempts and reason of each."""

    def deliver(
        relay: ScriptedSMTP, *recipients: str, security: str | None = None
    ) -> list[tuple[str, int, str | None]]:
        with relay:
            values = settings_values | through(relay)
            if security is not None:
                values |= {"email.smtp_security": security}
            app = make_app(values)
            outbox = Outbox(app.registry)
            emails = [outbox.write(n, address=name) for n, name in enumerate(recipients)]
            worker = impatient(app.registry, 0.4)
            worker.run_once()
            worker.stop()
            rows = [outbox.row(email) for email in emails]
        return [(row.state, row.attempts, row.reason) for row in rows]

    return deliver


Deliver = Callable[..., list[tuple[str, int, str | None]]]


def test_a_relay_without_starttls_gets_neither_password_nor_email(
    deliver: Deliver, scripted: ScriptedSMTP
) -> None:
    stripped = replace(scripted, starttls=False)
    [(state, attempts, reason)] = deliver(stripped, "anna@example.org")
    assert (state, attempts) == ("queued", 0)
    assert reason == "waits for the relay: starttls: the relay does not offer STARTTLS"
    assert (stripped.logins, stripped.received, stripped.violations) == ([], [], [])


@pytest.mark.parametrize("how", [STALL, DROP, GARBAGE])
def test_implicit_tls_that_fails_uses_up_no_attempt(
    deliver: Deliver, scripted: ScriptedSMTP, how: str
) -> None:
    relay = replace(scripted, implicit_tls=True, faults=(Fault(At.TLS, how),))
    [(state, attempts, reason)] = deliver(relay, "anna@example.org")
    assert (state, attempts) == ("queued", 0)
    assert (reason or "").startswith("waits for the relay: connect: ")
    assert relay.logins == []


def test_tls_on_the_port_of_starttls_says_what_may_be_meant(
    deliver: Deliver, scripted: ScriptedSMTP
) -> None:
    [(state, attempts, reason)] = deliver(scripted, "anna@example.org", security="tls")
    assert (state, attempts) == ("queued", 0)
    assert (reason or "").endswith("is email.smtp_security = starttls meant?")
    assert scripted.logins == []


def test_replies_that_were_slipped_in_before_tls_are_not_believed(
    deliver: Deliver, scripted: ScriptedSMTP
) -> None:
    slipped_in = "220 go ahead\r\n250-relay.example.org\r\n250 AUTH LOGIN"
    relay = replace(scripted, faults=(Fault(At.STARTTLS, slipped_in),))
    assert deliver(relay, "anna@example.org") == [("sent", 0, None)]
    assert [login.split()[1] for login in relay.logins] == ["PLAIN"]


@pytest.mark.parametrize("accepts_data", [True, False], ids=["354-anyway", "554-at-data"])
@pytest.mark.parametrize("pipelining", [True, False], ids=["pipelining", "plain"])
def test_refused_recipients_fail_and_the_others_get_their_emails(
    deliver: Deliver, scripted: ScriptedSMTP, pipelining: bool, accepts_data: bool
) -> None:
    refused = frozenset({"bert@example.org", "cora@example.org", "erik@example.org"})
    relay = replace(
        scripted,
        pipelining=pipelining,
        refused=refused,
        accepts_data_without_recipients=accepts_data,
    )
    names = ["anna", "bert", "cora", "dora", "erik"]
    ends = deliver(relay, *(f"{name}@example.org" for name in names))
    no = ("failed", 0, "550 5.1.1 no such mailbox")
    assert ends == [("sent", 0, None), no, no, ("sent", 0, None), no]
    assert len(relay.received) == 2
    assert relay.violations == []


def test_a_reply_that_would_break_a_log_line_or_a_row_is_cleaned(
    deliver: Deliver, scripted: ScriptedSMTP, caplog: pytest.LogCaptureFixture
) -> None:
    nasty = "550 \x1b[31mred\x00\x07 \ud7ff anna@example.org " + "x" * 5000
    relay = replace(scripted, faults=(Fault(At.RCPT, nasty),))
    with caplog.at_level(logging.DEBUG):
        [(state, _, reason)] = deliver(relay, "anna@example.org")
    assert state == "failed"
    assert reason is not None
    assert reason.isprintable()
    assert len(reason) < 1100
    assert "anna" not in caplog.text
    assert PASSWORD not in caplog.text


def test_a_reply_without_end_is_cut_off(deliver: Deliver, scripted: ScriptedSMTP) -> None:
    endless = "\r\n".join(["250-more"] * 70_000)
    relay = replace(scripted, faults=(Fault(At.MAIL, endless),))
    [(state, attempts, _)] = deliver(relay, "anna@example.org")
    assert (state, attempts) == ("queued", 1)
    assert relay.received == []
