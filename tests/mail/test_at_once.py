"""Requests at the same time: a limit counts all of them, and only the newest email goes out."""

from collections import Counter
from datetime import timedelta

from app.mail import RateLimit
from app.mail.delivery.worker import Delivery
from app.mail.outbox.tables import OutboxEmail
from tests.support.at_once import at_once
from tests.support.outbox import Outbox, kind

TOGETHER = 8


def test_requests_at_once_do_not_pass_a_recipients_limit(sending: Outbox) -> None:
    limited = kind("limited", limit=RateLimit(3, timedelta(hours=1)))
    sending.registry.email_kinds.add(limited)
    states: list[str] = []

    def ask(number: int) -> None:
        email = sending.write(number, of=limited, address="ada@example.org")
        states.append(email.state)

    at_once(ask, range(TOGETHER))
    assert Counter(states) == {"queued": 3, "throttled": TOGETHER - 3}


def test_of_requests_at_once_about_the_same_thing_the_newest_goes_out_alone(
    sending: Outbox,
) -> None:
    reset = kind("reset", supersedes=True, carries_secret=True)
    sending.registry.email_kinds.add(reset)
    emails: list[OutboxEmail] = []

    def ask(number: int) -> None:
        emails.append(sending.write(number, of=reset, about="account:7", key=f"reset:{number}"))

    at_once(ask, range(TOGETHER))
    worker = Delivery(sending.registry)
    worker.run_once()
    worker.stop()
    newest = max(email.id for email in emails)
    for email in emails:
        row = sending.row(email)
        assert row.state == ("queued" if row.id == newest else "superseded")
        assert row.has_body == (row.id == newest)
