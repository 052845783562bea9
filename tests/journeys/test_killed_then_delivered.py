"""A worker is killed with -9 after an email's final dot, and the service's webhook tells that the
email was delivered. So it was sent once, and nobody sends it again.
"""

import threading
from pathlib import Path

import pytest

from app.accounts.email_kinds import WELCOME
from app.database.clock import utc_clock
from app.mail import InDoubt
from app.mail.outbox.tables import State
from tests.support.application import MakeApp
from tests.support.browser import another_browser
from tests.support.certificates import Certificate
from tests.support.outbox import Outbox
from tests.support.relay import through
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.server_process import pillarbox, start
from tests.support.service_events import postmark_event
from tests.support.shop_settings import write_ini
from tests.support.smtp_script import At
from tests.support.workers import Hire

SECRET = "the password of the service"


@pytest.mark.parametrize("is_found_first", [False, True], ids=["event-first", "doubt-first"])
def test_an_email_in_doubt_that_was_delivered_is_not_sent_again(
    make_app: MakeApp,
    settings_values: dict[str, str],
    certificate: Certificate,
    hire: Hire,
    tmp_path: Path,
    is_found_first: bool,
) -> None:
    """Another worker finds the email in doubt before the event comes, or after."""
    assert WELCOME.in_doubt is InDoubt.RESEND
    at_the_dot, killed = threading.Event(), threading.Event()

    def hold(phase: At) -> None:
        if phase is At.DOT:
            at_the_dot.set()
            assert killed.wait(60)

    events = {"email.events": "postmark", "email.events_secret": SECRET}
    with ScriptedSMTP(certificate, before=hold) as relay:
        values = settings_values | through(relay) | events
        app = make_app(values)
        app.registry.clock = utc_clock
        outbox = Outbox(app.registry)
        email = outbox.write(of=WELCOME)
        ini = write_ini(tmp_path / "worker.ini", values, log_level="INFO")
        worker = start(pillarbox("deliver", ini), tmp_path / "log")
        try:
            assert at_the_dot.wait(60)
        finally:
            worker.kill()
            worker.wait()
        killed.set()
        relay.wait_for(1)
        other = hire(app)
        if is_found_first:
            other.run_once()
            assert outbox.row(email).state == State.QUEUED
        browser = another_browser(app)
        browser.authorization = ("Basic", ("pillarbox", SECRET))
        tag = app.registry.email_tags.of(email.id)
        browser.post_json("/webhooks/email", postmark_event("Delivery", tag))
        other.run_once()
        row = outbox.row(email)
        assert (row.state, row.leased_by) == (State.SENT, None)
        assert row.delivered_at is not None
        assert relay.received == [email.message_id]
