"""A filter finds its emails, whatever it combines, and walks indexes to them."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select

from app.database.engine import Database
from app.mail.outbox import search
from app.mail.outbox.search import Filter, find, find_page
from app.mail.outbox.tables import OutboxEmail, State
from tests.support.clock import Clock
from tests.support.outbox import Outbox, kind

OTHER = kind("other")
ROWS = 240


@pytest.fixture
def log(outbox: Outbox, clock: Clock) -> list[OutboxEmail]:
    """Emails of two kinds in every state, to four recipients, over two days, the oldest first."""
    first = outbox.write(0)
    names = [column.name for column in OutboxEmail.__table__.columns if column.name != "id"]
    row = {name: getattr(first, name) for name in names}
    states = list(State)
    rows = [
        row
        | {
            "key": f"k{n}",
            "message_id": f"<{n}@localhost>",
            "kind": "other" if n % 5 == 0 else "note",
            "recipient_key": f"customer{n % 4}@example.org",
            "about": f"order:{n % 50}",
            "state": states[n % len(states)],
            "reason": None
            if states[n % len(states)] in (State.SENT, State.SENDING)
            else ("550 5.1.1 Unknown" if n % 3 else "552 5.3.4 100% too_large"),
            "leased_by": "worker" if states[n % len(states)] is State.SENDING else None,
            "created_at": clock() + timedelta(minutes=12 * n),
        }
        for n in range(ROWS)
    ]
    with outbox.registry.database.transaction(write=True) as session:
        session.execute(insert(OutboxEmail), rows)
        clock.advance(timedelta(minutes=12 * ROWS))
        return list(session.scalars(select(OutboxEmail).order_by(OutboxEmail.id)))


def filters(clock: Clock) -> list[Filter]:
    """Filters that combine every field with every other."""
    day = clock() - timedelta(days=1)
    return [
        Filter(state, kind, recipient, since, until, reason, about)
        for state, kind, recipient, (since, until), reason, about in product(
            (None, State.QUEUED, State.SENDING, State.SENT, State.FAILED),
            (None, "other", "nothing"),
            (None, "Customer1@example.org"),
            ((None, None), (day, None), (None, day), (day, day + timedelta(hours=6))),
            (None, "552 5.3.4 100% TOO_"),
            (None, "order:7"),
        )
    ]


def expected(log: list[OutboxEmail], filter: Filter) -> list[int]:
    """What the filter must find, read row by row."""

    def fits(email: OutboxEmail) -> bool:
        return all(
            (
                filter.state in (None, email.state),
                filter.kind in (None, email.kind),
                filter.recipient is None or filter.recipient.lower() == email.recipient_key,
                filter.since is None or email.created_at >= filter.since,
                filter.until is None or email.created_at < filter.until,
                filter.reason is None
                or (email.reason or "").lower().startswith(filter.reason.lower()),
                filter.about in (None, email.about),
            )
        )

    return [email.id for email in reversed(log) if fits(email)]


@pytest.mark.parametrize("most_sorted", [search.MOST_SORTED, 5])
def test_every_combination_finds_what_it_should_and_nothing_else(
    log: list[OutboxEmail],
    database: Database,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    most_sorted: int,
) -> None:
    # Small steps and a queue that is too long to be sorted.
    monkeypatch.setattr(search, "STEP", 7)
    monkeypatch.setattr(search, "MOST_SORTED", most_sorted)
    with database.transaction(write=False) as session:
        for filter in filters(clock):
            if most_sorted == 5 and filter.state is State.SENDING:
                continue
            found = [email.id for email in find(session, filter, limit=ROWS + 1)]
            assert found == expected(log, filter), filter


def test_a_message_id_finds_its_email_if_the_other_filters_fit(
    log: list[OutboxEmail], database: Database
) -> None:
    email = next(email for email in log if email.state == State.FAILED)
    inner = email.message_id.strip("<>")
    with database.transaction(write=False) as session:
        for text in (inner, f"<{inner}>", f" {inner} "):
            assert [row.id for row in find(session, Filter(message_id=text))] == [email.id]
        assert find(session, Filter(message_id=inner, state=State.FAILED, about=email.about))
        assert find(session, Filter(message_id=inner, state=State.SENT)) == []
        assert find(session, Filter(message_id=inner, about="order:99")) == []


def test_pages_follow_each_other_without_a_gap(
    log: list[OutboxEmail], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "STEP", 7)
    for filter in (Filter(), Filter(kind="other"), Filter(reason="552"), Filter(state=State.SENT)):
        ids: list[int] = []
        before = None
        with database.transaction(write=False) as session:
            while True:
                page = find_page(session, filter, before=before, limit=3)
                assert len(page.ids) <= 3
                ids += page.ids
                before = page.older
                if before is None:
                    break
        assert ids == expected(log, filter)


@pytest.mark.parametrize("text", ["%", "_", "\0", "\ud800", "x" * 10_000, "'", "\\"])
def test_odd_texts_find_nothing(log: list[OutboxEmail], database: Database, text: str) -> None:
    with database.transaction(write=False) as session:
        for name in ("kind", "recipient", "reason", "about", "message_id"):
            assert find(session, Filter(**{name: text})) == []


def test_an_email_that_is_a_little_out_of_order_is_found_by_its_time(
    log: list[OutboxEmail], outbox: Outbox, database: Database
) -> None:
    before, last = log[-2], log[-1]
    # The last email is a little older than the one before it.
    outbox.change(before, created_at=last.created_at + timedelta(minutes=4))
    since = Filter(since=last.created_at + timedelta(minutes=3))
    with database.transaction(write=False) as session:
        assert [email.id for email in find(session, since)] == [before.id]


INDEXES = {
    Filter(state=State.FAILED): ["ix_outbox_email_state"],
    Filter(state=State.QUEUED): ["ix_outbox_email_due"],
    Filter(state=State.SENDING): ["ix_outbox_email_leased"],
    Filter(kind="other"): ["ix_outbox_email_kind", "ix_outbox_email_due", "ix_outbox_email_leased"],
    Filter(state=State.SENT, kind="other"): ["ix_outbox_email_kind"],
    Filter(recipient="customer1@example.org"): ["ix_outbox_email_recipient"],
    Filter(reason="552"): ["ix_outbox_email_state", "ix_outbox_email_due"],
    Filter(about="order:7"): ["ix_outbox_email_about"],
}


def test_searches_walk_the_indexes(log: list[OutboxEmail], database: Database) -> None:
    for filter, indexes in INDEXES.items():
        with database.transaction(write=False) as session:
            plans = _plans(session.connection(), partial(find_page, session, filter))
        assert "Seq Scan" not in plans
        assert [index for index in indexes if index not in plans] == [], plans


def test_a_message_id_is_looked_up_in_its_index(log: list[OutboxEmail], database: Database) -> None:
    filter = Filter(message_id="<7@localhost>")
    with database.transaction(write=False) as session:
        plans = _plans(session.connection(), partial(find_page, session, filter))
    # SQLite's plan names the column that its index finds, and PostgreSQL's names the index.
    assert "(message_id=?)" in plans or "uq_outbox_email_message_id" in plans, plans


def _plans(connection: Connection, look: Callable[[], Any]) -> str:
    """The plans of all statements that ``look`` makes."""
    statements: list[tuple[str, Any]] = []

    def note(_: Connection, __: Any, statement: str, parameters: Any, *more: Any) -> None:
        if "outbox_email" in statement:
            statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    look()
    event.remove(connection, "before_cursor_execute", note)
    explain = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
    lines = [
        str(row[-1])
        for statement, parameters in statements
        for row in connection.exec_driver_sql(f"{explain} {statement}", parameters)
    ]
    return "\n".join([*lines, ""])
