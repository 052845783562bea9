"""What an event about an email changes."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import permutations

import pytest
from pyramid.router import Router
from sqlalchemy import select

from app.mail.events.hearing import Counts, Heard, hear
from app.mail.outbox.event_tables import EmailEvent, Event, EventSource
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.smtp.replies import Outcome
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind, put
from tests.support.workers import Hire


def tell(outbox: Outbox, *heard: Heard, source: str = "postmark") -> Counts:
    registry = outbox.registry
    with registry.database.transaction(write=True) as session:
        return hear(
            session,
            source,
            heard,
            tags=registry.email_tags,
            kinds=registry.email_kinds,
            now=registry.clock(),
        )


def about(outbox: Outbox, email: OutboxEmail, event: Event, **details: object) -> Heard:
    values = {"source_id": str(event), "tag": outbox.registry.email_tags.of(email.id), **details}
    return Heard(event, **values)  # type: ignore[arg-type]


def sent(outbox: Outbox, number: int = 1) -> OutboxEmail:
    now = outbox.registry.clock()
    return put(outbox, outbox.write(number), State.SENT, sent_at=now)


def events(outbox: Outbox) -> list[EmailEvent]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(EmailEvent).order_by(EmailEvent.id)))


def test_a_delivered_email_says_when(sending: Outbox, clock: Clock) -> None:
    email = sent(sending)
    clock.advance(timedelta(minutes=1))
    at = clock()
    clock.advance(timedelta(minutes=1))
    assert tell(sending, about(sending, email, Event.DELIVERED, at=at)) == Counts(new=1)
    row = sending.row(email)
    assert (row.state, row.delivered_at, row.heard) == (State.SENT, at, Event.DELIVERED)


def test_a_message_id_names_the_email_as_its_tag_does(sending: Outbox) -> None:
    email = sent(sending)
    heard = Heard(Event.DELIVERED, "1", message_id=email.message_id)
    assert tell(sending, heard) == Counts(new=1)
    assert sending.row(email).delivered_at is not None


@pytest.mark.parametrize("order", list(permutations([Event.DELIVERED, Event.BOUNCED])))
def test_whatever_the_order_an_outcome_only_rises(sending: Outbox, order: list[Event]) -> None:
    email = sent(sending)
    for event in order:
        tell(sending, about(sending, email, event, code="5.1.1", words="no such user"))
    row = sending.row(email)
    assert (row.state, row.reason) == (State.BOUNCED, "5.1.1 no such user")
    assert row.delivered_at is not None


def test_an_event_told_twice_is_written_once(sending: Outbox) -> None:
    email = sent(sending)
    heard = about(sending, email, Event.DEFERRED)
    assert tell(sending, heard, heard) == Counts(new=1, again=1)
    assert tell(sending, heard) == Counts(again=1)
    assert len(events(sending)) == 1


def test_what_is_about_no_email_of_ours_is_counted(sending: Outbox) -> None:
    email = sent(sending)
    foreign = [
        Heard(Event.BOUNCED, "1", tag="1-aaaaaaaaaaaaaaaa"),
        Heard(Event.BOUNCED, "2", tag=sending.registry.email_tags.of(email.id + 1)),
        Heard(Event.BOUNCED, "3", message_id="<somebody@else.example>"),
        Heard(Event.BOUNCED, "4"),
    ]
    assert tell(sending, *foreign) == Counts(unmatched=4)
    assert sending.row(email).state == State.SENT
    with sending.registry.database.transaction(write=False) as session:
        assert session.scalars(select(EventSource.unmatched)).all() == [4]


@pytest.mark.parametrize("state", [State.QUEUED, State.UNKNOWN, State.CANCELLED])
@pytest.mark.parametrize(
    ("event", "ends_in"), [(Event.DELIVERED, State.SENT), (Event.BOUNCED, State.BOUNCED)]
)
def test_an_event_settles_an_email_in_doubt(
    sending: Outbox, state: State, event: Event, ends_in: State
) -> None:
    secret = kind("secret", carries_secret=True)
    email = put(sending, sending.write(1, of=secret), state, leased_by="a worker")
    tell(sending, about(sending, email, event))
    row = sending.row(email)
    assert (row.state, row.leased_by, row.has_body) == (ends_in, None, False)
    assert row.sent_at is not None


def test_an_email_that_is_being_sent_keeps_its_state_until_its_verdict(sending: Outbox) -> None:
    email = put(sending, sending.write(1), State.SENDING, leased_by="a worker")
    tell(sending, about(sending, email, Event.BOUNCED, words="it came back"))
    row = sending.row(email)
    assert (row.state, row.leased_by, row.heard) == (State.SENDING, "a worker", Event.BOUNCED)
    assert row.reason == "it came back"


def test_a_clock_that_is_ahead_tells_no_later_time_than_now(sending: Outbox, clock: Clock) -> None:
    email = sent(sending)
    tell(sending, about(sending, email, Event.DELIVERED, at=clock() + timedelta(days=900)))
    assert sending.row(email).delivered_at == clock()


def test_a_clock_that_is_behind_tells_no_time_before_the_email_was_written(
    sending: Outbox, clock: Clock
) -> None:
    email = sent(sending)
    clock.advance(timedelta(hours=1))
    at = email.created_at - timedelta(seconds=1)
    tell(sending, about(sending, email, Event.DELIVERED, at=at))
    assert sending.row(email).delivered_at == email.created_at


def test_words_are_kept_in_one_line_and_cut(sending: Outbox) -> None:
    email = sent(sending)
    tell(
        sending, about(sending, email, Event.BOUNCED, words="no\r\n\x00 \x1b[31muser " + "x" * 9999)
    )
    [event] = events(sending)
    assert event.words.startswith("no [31muser xxx")
    assert len(event.words) == 1000


def test_an_email_whose_worker_died_is_sent_once_an_event_tells_so(
    sending: Outbox, hire: Hire, app: Router
) -> None:
    email = put(sending, sending.write(1), State.SENDING, leased_by="lock-1", leased_until=None)
    sending.change(email, leased_until=sending.registry.clock() - timedelta(hours=1))
    tell(sending, about(sending, email, Event.DELIVERED))
    hire(app).run_once()
    assert sending.row(email).state == State.SENT
    with sending.registry.database.transaction(write=False) as session:
        assert session.scalars(select(EmailAttempt.outcome)).all() == [Outcome.IN_DOUBT]


def test_a_secret_goes_when_a_verdict_in_doubt_comes_after_the_event(
    sending: Outbox, hire: Hire, app: Router
) -> None:
    secret = kind("secret", carries_secret=True)
    email = put(sending, sending.write(1, of=secret), State.SENDING, leased_by="lock-1")
    sending.change(email, leased_until=sending.registry.clock() - timedelta(hours=1))
    tell(sending, about(sending, email, Event.DELIVERED))
    assert sending.row(email).has_body
    hire(app).run_once()
    row = sending.row(email)
    assert (row.state, row.has_body) == (State.SENT, False)


def test_calls_at_once_about_the_same_addresses_are_all_heard(sending: Outbox) -> None:
    """They would lock each other out if they took the addresses in different orders."""
    calls = []
    for call in range(4):
        numbers = range(call * 12, call * 12 + 12)
        # Each call meets the six addresses in an order of its own.
        addresses = [
            f"customer{(number * (call + 1) + call) % 6}@example.org" for number in numbers
        ]
        emails = [
            put(sending, sending.write(number, address=address), State.SENT)
            for number, address in zip(numbers, addresses, strict=True)
        ]
        calls.append([about(sending, email, Event.BOUNCED, code="5.1.1") for email in emails])
    with ThreadPoolExecutor(4) as threads:
        counts = list(threads.map(lambda heard: tell(sending, *heard), calls))
    assert counts == [Counts(new=12)] * 4
    assert len(events(sending)) == 48
