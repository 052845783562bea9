"""PostgreSQL ends while workers and web are idle, and starts again. Neither has to be restarted."""

from collections import Counter

import pytest
from pyramid.router import Router

from app.mail.outbox.tables import State
from app.mail.testing import Mailbox
from tests.support.accounts import sign_up
from tests.support.browser import another_browser
from tests.support.databases import on_postgresql
from tests.support.outbox import Outbox
from tests.support.postgresql import PostgreSQL
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.waiting import eventually
from tests.support.workers import Hire

pytestmark = on_postgresql


@pytest.fixture
def app(scripted_app: Router) -> Router:
    return scripted_app


def test_idle_workers_and_the_web_come_back_by_themselves(
    postgresql: PostgreSQL,
    outbox: Outbox,
    app: Router,
    hire: Hire,
    scripted: ScriptedSMTP,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for _ in range(2):
        hire(app).start()
    before = [outbox.write(number) for number in range(4)]
    scripted.wait_for(4)
    eventually(lambda: {outbox.row(email).state for email in before} == {State.SENT})
    page = another_browser(app).get("/sign-up")
    # Delivery does not wait for the disk. Another test is about what a crash loses.
    postgresql.execute("CHECKPOINT")
    postgresql.kill()
    try:
        eventually(lambda: "delivery waits for the database" in caplog.text)
        page.form["email"], page.form["password"] = "ada@example.org", "a lovely long passphrase"
        sent = page.form.submit(status=503)
        assert "The shop is briefly unavailable" in sent.text
        assert sent.headers["Retry-After"] == "10"
        assert another_browser(app).get("/healthz").status_int == 200
        assert another_browser(app).get("/readyz", status="*").status_int == 503
    finally:
        postgresql.start()
    assert another_browser(app).get("/readyz").status_int == 200
    assert sign_up(another_browser(app), "bob@example.org").status_int == 303
    scripted.wait_for(5)
    eventually(lambda: {email.state for email in Mailbox(app.registry.database).all()} == {"sent"})
    emails = Mailbox(app.registry.database).all()
    assert [email.recipient for email in emails[4:]] == ["bob@example.org"]
    assert Counter(scripted.received) == Counter(email.message_id for email in emails)
