"""Resending, releasing and cancelling every email that a filter finds."""

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.mail.metrics import METRICS
from app.mail.outbox import many
from app.mail.outbox.batches import Act, Batch
from app.mail.outbox.many import ManyDecisions, look
from app.mail.outbox.rules import Why
from app.mail.outbox.search import Filter, Page
from app.mail.outbox.tables import OutboxEmail, State
from tests.support.at_once import at_once
from tests.support.clock import Clock
from tests.support.outbox import RECEIPT, Outbox, attachments, kind, put

EVERYTHING = Filter()
FAILED = Filter(state=State.FAILED)
SENT = Filter(state=State.SENT)
SECRET = kind("secret", carries_secret=True, time_to_live=timedelta(minutes=30))


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several batches for few emails."""
    monkeypatch.setattr(many, "BATCH", 3)


def nothing(session: Session, batch: Batch) -> None:
    """Keep nothing."""


def newest_id(outbox: Outbox) -> int:
    with outbox.registry.database.transaction(write=False) as session:
        return look(session, EVERYTHING).newest_id


def decide(
    outbox: Outbox, act: Act, filter: Filter, newest: int | None = None
) -> tuple[int, dict[Why, list[int]]]:
    """Decide about all that the filter finds: how many were changed, and which were refused."""
    if newest is None:
        newest = newest_id(outbox)
    done, refused = 0, dict[Why, list[int]]()
    decisions = ManyDecisions.of(outbox.registry)
    for batch in decisions.run(act, filter, newest=newest, by="by a test", note=nothing):
        done += batch.done
        for why, ids in batch.refused.items():
            refused[why] = sorted([*refused.get(why, []), *ids])
    return done, refused


def all_rows(outbox: Outbox) -> list[OutboxEmail]:
    with outbox.registry.database.transaction(write=False) as session:
        return list(session.scalars(select(OutboxEmail).order_by(OutboxEmail.id)))


def test_all_that_failed_is_queued_again_under_its_message_id_with_all_its_retries(
    sending: Outbox, clock: Clock
) -> None:
    failed = [sending.write(number, attachments=(RECEIPT,)) for number in range(7)]
    for email in failed:
        put(sending, email, State.FAILED, attempts=9, reason="550 5.4.5 quota")
    sent = put(sending, sending.write(7), State.SENT)
    clock.advance(timedelta(days=5))
    assert decide(sending, Act.RESEND, FAILED) == (7, {})
    for email in failed:
        row = sending.row(email)
        assert (row.message_id, row.state, row.reason) == (email.message_id, "queued", None)
        assert (row.attempts, row.next_attempt_at) == (0, clock.now)
        assert row.expires_at == clock.now + timedelta(days=3)
    assert sending.row(sent).state == "sent"
    assert attachments(sending) == 7


def test_sent_emails_become_new_ones_with_the_same_content(sending: Outbox, clock: Clock) -> None:
    sent = [
        put(sending, sending.write(number, attachments=(RECEIPT,)), State.SENT)
        for number in range(5)
    ]
    clock.advance(timedelta(hours=2))
    assert decide(sending, Act.RESEND, SENT) == (5, {})
    originals, copies = all_rows(sending)[:5], all_rows(sending)[5:]
    assert [row.state for row in originals] == ["sent"] * 5
    assert sorted(row.key for row in copies) == [f"note:{number}#2" for number in range(5)]
    for copy in copies:
        original = next(row for row in originals if copy.key == f"{row.key}#2")
        for name in ("kind", "about", "recipient", "recipient_key", "subject", "html_body"):
            assert getattr(copy, name) == getattr(original, name)
        assert (copy.state, copy.attempts, copy.created_at) == ("queued", 0, clock.now)
        assert copy.message_id.endswith("@example.org>")
        assert [file.content for file in copy.attachments] == [RECEIPT.content]
    assert len({row.message_id for row in [*originals, *copies]}) == 10
    for email in (*sent, *copies):
        put(sending, email, State.SENT)
    clock.advance(timedelta(hours=2))
    assert decide(sending, Act.RESEND, SENT) == (5, {Why.RESENT: [row.id for row in originals]})
    assert sorted(row.key for row in all_rows(sending)[10:]) == [
        f"note:{number}#3" for number in range(5)
    ]


def test_what_was_written_after_the_confirmation_is_not_touched(sending: Outbox) -> None:
    put(sending, sending.write(1), State.FAILED)
    confirmed = newest_id(sending)
    later = put(sending, sending.write(2), State.FAILED)
    assert decide(sending, Act.RESEND, FAILED, confirmed) == (1, {})
    assert sending.row(later).state == "failed"
    assert decide(sending, Act.RESEND, EVERYTHING) == (1, {Why.QUEUED: [1]})


def test_what_may_not_go_is_refused_by_reason_and_the_rest_goes(
    sending: Outbox, clock: Clock
) -> None:
    erased = {"html_body": None, "text_body": None}
    newest = kind("newest", supersedes=True)
    fine = put(sending, sending.write(1), State.FAILED)
    queued = sending.write(2)
    being_sent = put(sending, sending.write(3), State.SENDING)
    no_body = put(sending, sending.write(4), State.FAILED, **erased)
    dead = put(sending, sending.write(5, of=SECRET), State.FAILED)
    suppressed = put(sending, sending.write(6, address="Ada@example.org"), State.SUPPRESSED)
    no_kind = put(sending, sending.write(7), State.FAILED, kind="forgotten")
    older = sending.write(8, of=newest, about="account:1", key="a")
    newer = put(sending, sending.write(9, of=newest, about="account:1", key="b"), State.SENT)
    sending.suppress("ada@example.org")
    clock.advance(timedelta(minutes=30))
    done, refused = decide(sending, Act.RESEND, EVERYTHING)
    assert refused == {
        Why.QUEUED: [queued.id],
        Why.SENDING: [being_sent.id],
        Why.NO_BODY: [no_body.id],
        Why.EXPIRED: [dead.id],
        Why.SUPPRESSED: [suppressed.id],
        Why.NO_KIND: [no_kind.id],
        Why.NEWER: [older.id],
    }
    assert done == 2
    assert sending.row(fine).state == "queued"
    assert all_rows(sending)[-1].key == f"{newer.key}#2"


def test_a_link_that_still_works_keeps_its_time(sending: Outbox, clock: Clock) -> None:
    emails = [put(sending, sending.write(number, of=SECRET), State.FAILED) for number in range(2)]
    clock.advance(timedelta(minutes=29))
    assert decide(sending, Act.RESEND, FAILED) == (2, {})
    for email in emails:
        assert sending.row(email).expires_at == email.expires_at


def test_only_emails_in_doubt_are_released(sending: Outbox, clock: Clock) -> None:
    held = [put(sending, sending.write(number), State.UNKNOWN) for number in range(4)]
    failed = put(sending, sending.write(4), State.FAILED)
    assert decide(sending, Act.RELEASE, EVERYTHING) == (4, {Why.NOT_HELD: [failed.id]})
    assert {sending.row(email).state for email in held} == {"queued"}
    assert sending.row(failed).state == "failed"


def test_cancelling_ends_what_waits_and_erases_its_secrets(sending: Outbox) -> None:
    note = sending.write(1, attachments=(RECEIPT,))
    secret = sending.write(2, of=SECRET, attachments=(RECEIPT,))
    held = put(sending, sending.write(3), State.UNKNOWN)
    sent = put(sending, sending.write(4), State.SENT)
    assert decide(sending, Act.CANCEL, EVERYTHING) == (3, {Why.NOT_WAITING: [sent.id]})
    rows = [sending.row(email) for email in (note, secret, held)]
    assert {(row.state, row.reason) for row in rows} == {("cancelled", "cancelled by a test")}
    assert [row.has_body for row in rows] == [True, False, True]
    assert attachments(sending) == 1
    assert sending.row(sent).state == "sent"


@pytest.mark.parametrize(("filter", "state"), [(FAILED, State.FAILED), (SENT, State.SENT)])
def test_two_who_resend_the_same_at_once_send_each_email_once(
    sending: Outbox, filter: Filter, state: State
) -> None:
    emails = [put(sending, sending.write(number), state) for number in range(30)]
    confirmed = newest_id(sending)
    results = at_once(lambda _: decide(sending, Act.RESEND, filter, confirmed), range(2))
    rows = Counter(row.recipient for row in all_rows(sending) if row.state == "queued")
    assert rows == Counter(email.recipient for email in emails)
    assert sum(done for done, _ in results) == 30
    for done, refused in results:
        assert done + sum(map(len, refused.values())) <= 30


def test_whoever_confirms_while_another_one_resends_makes_no_second_copy(
    sending: Outbox, clock: Clock
) -> None:
    for number in range(4):
        put(sending, sending.write(number), State.SENT)
    decide(sending, Act.RESEND, SENT)
    for row in all_rows(sending)[4:]:
        put(sending, row, State.SENT)
    clock.advance(timedelta(minutes=5))
    assert decide(sending, Act.RESEND, SENT) == (0, {Why.RESENT: list(range(1, 9))})


def test_an_action_that_stopped_goes_on_where_it_was(sending: Outbox) -> None:
    emails = [put(sending, sending.write(number), State.FAILED) for number in range(5)]
    decisions = ManyDecisions.of(sending.registry)
    run = decisions.run(Act.RESEND, FAILED, newest=newest_id(sending), by="", note=nothing)
    first = next(run)
    run.close()
    assert Counter(sending.row(email).state for email in emails) == {"queued": 3, "failed": 2}
    assert decide(sending, Act.RESEND, FAILED, first.ids[0] - 1) == (2, {})


def test_a_batch_and_what_is_kept_of_it_are_one_transaction(sending: Outbox) -> None:
    email = put(sending, sending.write(1), State.FAILED)

    def fail(session: Session, batch: Batch) -> None:
        raise ZeroDivisionError

    decisions = ManyDecisions.of(sending.registry)
    with pytest.raises(ZeroDivisionError):
        list(decisions.run(Act.RESEND, FAILED, newest=email.id, by="", note=fail))
    assert sending.row(email).state == "failed"


def test_emails_that_were_changed_since_they_were_found_are_left_alone(
    sending: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    emails = [put(sending, sending.write(number), State.FAILED) for number in range(2)]
    find_page = many.find_page

    def find_and_cancel_one(*arguments: Any, **options: Any) -> Page:
        page = find_page(*arguments, **options)
        put(sending, emails[0], State.CANCELLED)
        return page

    monkeypatch.setattr(many, "find_page", find_and_cancel_one)
    done = decide(sending, Act.RESEND, FAILED, emails[1].id)
    assert done == (1, {Why.CHANGED: [emails[0].id]})
    assert [sending.row(email).state for email in emails] == ["cancelled", "queued"]


def test_what_is_found_is_counted_by_state_with_the_oldest(
    sending: Outbox, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = clock.now
    for number in range(5):
        email = sending.write(number)
        if number < 2:
            put(sending, email, State.FAILED)
        clock.advance(timedelta(minutes=1))
    with sending.registry.database.transaction(write=False) as session:
        found = look(session, EVERYTHING)
        assert (found.states, found.count) == ({"failed": 2, "queued": 3}, 5)
        assert (found.is_more, found.oldest, found.newest_id) == (False, began, 5)
        assert look(session, FAILED).states == {"failed": 2}
        assert look(session, EVERYTHING, newest=3).count == 3
        nobody = look(session, Filter(kind="unheard_of"))
        assert (nobody.count, nobody.is_more, nobody.oldest) == (0, False, None)
        monkeypatch.setattr(many, "MOST_COUNTED", 4)
        found = look(session, EVERYTHING)
        assert (found.count, found.is_more) == (4, True)
        assert found.oldest == began + timedelta(minutes=1)


def test_the_workers_are_woken_when_emails_are_queued(sending: Outbox) -> None:
    put(sending, sending.write(1), State.FAILED)
    calls = sending.registry.email_wakeup.calls
    decide(sending, Act.RESEND, FAILED)
    assert sending.registry.email_wakeup.calls == calls + 1
    decide(sending, Act.CANCEL, EVERYTHING)
    assert sending.registry.email_wakeup.calls == calls + 1


def test_the_metrics_count_what_is_queued(sending: Outbox) -> None:
    def queued() -> float:
        return METRICS.get_sample_value("pillarbox_emails_total", labels) or 0.0

    labels = {"kind": "note", "state": "queued"}
    for number in range(5):
        put(sending, sending.write(number), State.FAILED if number < 3 else State.SENT)
    before = queued()
    assert decide(sending, Act.RESEND, EVERYTHING) == (5, {})
    assert queued() == before + 5
