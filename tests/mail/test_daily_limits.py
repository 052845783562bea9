"""Limits of emails that anybody can ask for: by browser, by network and by recipient."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta

import pytest

from app.mail import Kind, RateLimit
from app.mail.addresses import mailbox_key_of
from app.mail.outbox import decisions
from app.mail.outbox.tables import OutboxEmail
from tests.support.at_once import at_once
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind

HOUR = timedelta(hours=1)
ADA = "ada@example.org"


def limited(**daily: int) -> Kind:
    return kind("limited", limit=RateLimit(2, HOUR, **daily))


def ask(
    sending: Outbox, of: Kind, asking: Iterable[str], address: str = ADA, start: int = 0
) -> list[OutboxEmail]:
    """One email for each who asks."""
    return [
        sending.write(number, of=of, address=address, asked_by=asked_by)
        for number, asked_by in enumerate(asking, start)
    ]


def states(emails: Iterable[OutboxEmail]) -> list[str]:
    return [email.state for email in emails]


def test_a_limit_counts_each_browser_apart_and_those_of_a_network_together(
    sending: Outbox,
) -> None:
    asking = ["net/one", "net/one", "net/one", "net/two", "net/three", "net/four", "home/owner"]
    emails = ask(sending, limited(per_network=4), asking)
    held_back = [2, 5]
    for number, email in enumerate(emails):
        assert email.state == ("throttled" if number in held_back else "queued"), number
    assert emails[2].reason == "over the limit of 2 in 1 hour"
    assert emails[5].reason == "over the limit of 4 in 1 day for one network"


def test_one_network_cannot_use_up_what_all_may_ask_for_in_a_day(sending: Outbox) -> None:
    of = limited(per_network=3, per_recipient=5)
    ask(sending, of, [f"net/{number}" for number in range(6)])
    emails = ask(sending, of, ["home/owner", "home/owner", "work/owner"], start=10)
    assert states(emails) == ["queued", "queued", "throttled"]
    assert emails[2].reason == "over the limit of 5 in 1 day for one recipient"


@pytest.mark.parametrize(
    "daily", [{"per_network": 2}, {"per_recipient": 2}, {"per_network": 2, "per_recipient": 2}]
)
def test_past_a_daily_limit_one_email_a_period_still_goes_out(
    sending: Outbox, clock: Clock, daily: dict[str, int]
) -> None:
    of = limited(**daily)
    ask(sending, of, ["net/one", "net/two"])
    sent = []
    for number in range(10, 22):
        clock.advance(HOUR / 4)
        [email] = ask(sending, of, [f"net/{number}"], start=number)
        sent.append(email.state == "queued")
    # The last email is an hour old at the fourth try, then at the eighth and the twelfth.
    assert [number for number, went_out in enumerate(sent, 1) if went_out] == [4, 8, 12]


def test_a_daily_limit_is_over_after_a_day(sending: Outbox, clock: Clock) -> None:
    of = limited(per_network=3, per_recipient=3)
    ask(sending, of, ["net/one", "net/two", "net/three"])
    clock.advance(timedelta(hours=23, minutes=59))
    emails = ask(sending, of, ["net/four", "net/five"], start=10)
    assert states(emails) == ["queued", "throttled"]
    clock.advance(timedelta(minutes=1))
    emails = ask(sending, of, ["net/six", "net/seven", "net/eight"], start=20)
    assert states(emails) == ["queued", "queued", "throttled"]


def test_a_cancelled_email_does_not_stand_in_for_one_with_a_link(sending: Outbox) -> None:
    of = limited(per_recipient=1)
    [email] = ask(sending, of, ["net/one"])
    with sending.registry.database.transaction(write=True) as session:
        decisions.cancel(session, session.merge(email), of, "by a person")
    assert states(ask(sending, of, ["home/owner", "home/owner"], start=1)) == [
        "queued",
        "throttled",
    ]


# --- Plus-tags ----------------------------------------------------------------


def test_limits_by_client_count_all_plus_tags_of_a_mailbox_together(sending: Outbox) -> None:
    of = limited(per_network=3)
    emails = [
        sending.write(number, of=of, address=f"ada+{number}@example.org", asked_by="net/one")
        for number in range(3)
    ]
    assert states(emails) == ["queued", "queued", "throttled"]
    emails = [
        sending.write(number, of=of, address=f"Ada+{number}@EXAMPLE.org", asked_by=f"net/{number}")
        for number in range(3, 6)
    ]
    assert states(emails) == ["queued", "throttled", "throttled"]
    assert states(ask(sending, of, ["net/one"], "bob@example.org", start=7)) == ["queued"]


def test_the_daily_limit_by_recipient_counts_each_address_alone(sending: Outbox) -> None:
    of = limited(per_recipient=1)
    ask(sending, of, ["net/one"])
    assert states(ask(sending, of, ["net/two"], start=1)) == ["throttled"]
    assert states(ask(sending, of, ["net/three"], "ada+shop@example.org", start=2)) == ["queued"]


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("Anna+shop@Example.org", "anna@example.org"),
        ("anna+a+b@example.org", "anna@example.org"),
        ("anna@example.org", "anna@example.org"),
        ("+anna@example.org", "+anna@example.org"),
        ("anna@plus+domain.example", "anna@plus+domain.example"),
        ("nobody", "nobody"),
    ],
)
def test_a_mailbox_is_an_address_without_its_plus_tag(address: str, key: str) -> None:
    assert mailbox_key_of(address) == key


# --- At once ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("daily", "goes_out"), [({"per_network": 3}, 3), ({"per_recipient": 4}, 4)]
)
def test_requests_at_once_do_not_pass_a_daily_limit(
    sending: Outbox, daily: dict[str, int], goes_out: int
) -> None:
    of = limited(**daily)
    sending.registry.email_kinds.add(of)
    found: list[str] = []

    def request(number: int) -> None:
        found.extend(states(ask(sending, of, [f"net/{number}"], start=number)))

    at_once(request, range(8))
    assert Counter(found) == {"queued": goes_out, "throttled": 8 - goes_out}


def test_requests_at_once_for_plus_tags_of_one_mailbox_do_not_pass_a_limit(
    sending: Outbox,
) -> None:
    of = limited(per_network=3)
    sending.registry.email_kinds.add(of)
    found: list[str] = []

    def request(number: int) -> None:
        address = f"ada+{number}@example.org"
        found.extend(states(ask(sending, of, [f"net/{number}"], address, start=number)))

    at_once(request, range(8))
    assert Counter(found) == {"queued": 3, "throttled": 5}
