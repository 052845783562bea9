"""Search: the emails that a filter finds, for the log in the browser and for `pillarbox emails`.

A search takes as long among a million emails as among a thousand. It walks indexes in the order of
the ids, newest first. What no index holds, such as the reason, it checks in the rows, ``STEP`` rows
at a time: ``find_page`` takes one step, and ``find`` as many as it needs.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, bindparam, case, func, literal, literal_column, select, union_all
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.elements import ColumnElement

from app.database.text import storable
from app.mail import addresses
from app.mail.outbox.tables import IS_ODD, IS_QUEUED, IS_SETTLED, OutboxEmail, State

PAGE = 50
STEP = 1000
"""How many emails one step looks at."""
MOST_SORTED = 20_000
"""How many emails are sorted. A longer queue is searched for among all emails, where it is easy to
find.
"""
OUT_OF_ORDER = timedelta(minutes=5)
"""Ids grow with ``created_at``, but for clocks that differ and for long transactions. An email's
time is at most so far from the times of its neighbours.
"""

Conditions = list[ColumnElement[bool]]

# PostgreSQL would read a million emails while its statistics tell of a few.
_BY_INDEX = select(
    *(
        func.set_config(name, "off", True)
        for name in (
            "enable_seqscan",
            "enable_bitmapscan",
            "enable_hashjoin",
            "enable_mergejoin",
            "enable_sort",
            "jit",
        )
    )
)
"""Until the transaction ends, searches walk along indexes."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which emails to find. What is None does not matter.

    ``since`` is the earliest time at which an email was written, ``until`` the time before which it
    was. ``reason`` is how its reason begins, in upper or lower case. ``about`` is what it is about,
    such as ``order:7``. ``message_id`` is its Message-ID, with or without angle brackets.
    """

    state: State | None = None
    kind: str | None = None
    recipient: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    about: str | None = None
    message_id: str | None = None

    def conditions(self) -> Conditions:
        """The conditions that an email fulfils."""
        conditions = [*self.conditions_of_row(OutboxEmail), *self.times()]
        if self.recipient is not None:
            conditions.append(_goes_to(self.recipient))
        if self.about is not None:
            conditions.append(OutboxEmail.about == storable(self.about))
        if self.message_id is not None:
            conditions.append(has_message_id(self.message_id))
        return conditions

    def conditions_of_row(self, row: Any) -> Conditions:
        """The conditions about state, kind and reason, which are columns of ``row``."""
        conditions: Conditions = []
        if self.state is not None:
            conditions.append(row.state == self.state)
        if self.kind is not None:
            conditions.append(row.kind == storable(self.kind))
        if self.reason is not None:
            # Not LIKE: SQLite limits how long its patterns are.
            start = func.substr(row.reason, 1, len(self.reason))
            conditions.append(func.lower(start) == func.lower(literal(storable(self.reason))))
        return conditions

    def times(self) -> Conditions:
        """The conditions about the time."""
        times: Conditions = []
        if self.since is not None:
            times.append(OutboxEmail.created_at >= self.since)
        if self.until is not None:
            times.append(OutboxEmail.created_at < self.until)
        return times


@dataclass(frozen=True, slots=True)
class Page:
    """The ids of some of the emails that a filter finds, the newest first. Those with an id below
    ``older`` come next; None means that there are no more.
    """

    ids: list[int]
    older: int | None


def find(
    session: Session, filter: Filter, *, before: int | None = None, limit: int = PAGE
) -> list[OutboxEmail]:
    """Up to ``limit`` emails, the newest first: those with an id below ``before``."""
    ids: list[int] = []
    while True:
        page = find_page(session, filter, before=before, limit=limit - len(ids))
        ids += page.ids
        before = page.older
        if before is None or len(ids) == limit:
            break
    emails = select(OutboxEmail).where(OutboxEmail.id.in_(ids)).order_by(OutboxEmail.id.desc())
    return list(session.scalars(emails)) if ids else []


def find_page(
    session: Session, filter: Filter, *, before: int | None = None, limit: int = PAGE
) -> Page:
    """Up to ``limit`` emails with an id below ``before``.

    After one step the search stops, even if it has found fewer. ``older`` then says where it
    stopped, so that the caller can go on.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(_BY_INDEX)
    span = [*_span(session, filter, before), *filter.times()]
    walks, is_complete = _walks(session, filter)
    if is_complete:
        ids = list(session.scalars(_merged(walks, span, limit + 1)))
        return Page(ids[:limit], ids[limit - 1] if len(ids) > limit else None)
    step = _merged(walks, span, STEP).subquery()
    # The inner limit keeps the databases from beginning with the conditions about the row: an
    # index on one of them can find a million emails.
    columns = (OutboxEmail.id, OutboxEmail.state, OutboxEmail.kind, OutboxEmail.reason)
    rows = select(*columns).join(step, step.c.id == OutboxEmail.id)
    row = rows.order_by(OutboxEmail.id.desc()).limit(STEP).subquery().c
    fitting = select(row.id).where(*filter.conditions_of_row(row))
    ids = list(session.scalars(fitting.order_by(row.id.desc()).limit(limit + 1)))
    if len(ids) > limit:
        return Page(ids[:limit], ids[limit - 1])
    looked_at, last = session.execute(select(func.count(), func.min(step.c.id))).one()
    return Page(ids, last if looked_at == STEP else None)


@dataclass(frozen=True, slots=True)
class _Walk:
    """The emails that fulfil ``conditions``, in the order of an index that ends with the id.

    ``few_by`` holds the columns of another index, which finds so few emails that they are sorted.
    """

    conditions: Conditions
    few_by: tuple[ColumnElement[Any] | InstrumentedAttribute[Any], ...] = ()

    def ids(self, span: Conditions, limit: int) -> Select[int]:
        ids = select(OutboxEmail.id).where(*self.conditions, *span)
        if not self.few_by:
            return ids.order_by(OutboxEmail.id.desc()).limit(limit)
        # In the order of the index, so that PostgreSQL takes no other.
        few = ids.order_by(*self.few_by).limit(MOST_SORTED).subquery()
        return select(few.c.id).order_by(few.c.id.desc()).limit(limit)


_ALL = _Walk([])


def _walks(session: Session, filter: Filter) -> tuple[list[_Walk], bool]:
    """The walks that find the emails between them, and whether they find no others."""
    if filter.message_id is not None:
        return [_Walk(filter.conditions(), few_by=(OutboxEmail.message_id,))], True
    if filter.about is not None:
        return [_Walk(filter.conditions(), few_by=(OutboxEmail.kind,))], True
    has_reason = filter.reason is not None
    if filter.recipient is not None:
        is_complete = filter.state is None and filter.kind is None and not has_reason
        return [_Walk([_goes_to(filter.recipient)])], is_complete
    if filter.state is not None:
        states = [filter.state]
    elif filter.kind is not None or has_reason:
        # A sent email has no reason.
        states = [state for state in State if state is not State.SENT or not has_reason]
    else:
        return [_ALL], True
    walks = [_walk(session, filter, state) for state in states]
    return ([_ALL], False) if _ALL in walks else (walks, not has_reason)


def _walk(session: Session, filter: Filter, state: State) -> _Walk:
    """The walk through the emails in ``state``, of the filter's kind if it has one. It is ``_ALL``
    when no index helps.
    """
    is_kind = [] if filter.kind is None else [OutboxEmail.kind == storable(filter.kind)]
    if state is State.QUEUED:
        # As workers claim them.
        by = (OutboxEmail.priority, OutboxEmail.next_attempt_at, OutboxEmail.id)
        queued = select(OutboxEmail.id).where(IS_QUEUED).order_by(*by).limit(MOST_SORTED + 1)
        count = session.scalar(select(func.count()).select_from(queued.subquery())) or 0
        return _ALL if count > MOST_SORTED else _Walk([IS_QUEUED, *is_kind], by)
    if state is State.SENDING:
        # Only a worker's lease lets an email be sent, and few emails are leased.
        is_leased = OutboxEmail.leased_by.is_not(None)
        return _Walk([is_in(state), is_leased, *is_kind], (OutboxEmail.leased_by,))
    if is_kind:
        return _Walk([IS_SETTLED, is_in(state), *is_kind])
    return _ALL if state is State.SENT else _Walk([IS_ODD, is_in(state)])


def _merged(walks: list[_Walk], span: Conditions, limit: int) -> Select[int]:
    """The first ``limit`` emails of all walks together."""
    if len(walks) == 1:
        return walks[0].ids(span, limit)
    parts = [walk.ids(span, limit).subquery() for walk in walks]
    merged = union_all(*(select(part.c.id) for part in parts)).subquery()
    return select(merged.c.id).order_by(merged.c.id.desc()).limit(limit)


def _span(session: Session, filter: Filter, before: int | None) -> Conditions:
    """The conditions about the id: the cursor's, and those that leave out other times."""
    conditions: Conditions = [] if before is None else [OutboxEmail.id < before]
    if filter.since is not None:
        conditions.append(OutboxEmail.id >= first_id(session, filter.since - OUT_OF_ORDER))
    if filter.until is not None:
        conditions.append(OutboxEmail.id < first_id(session, filter.until + OUT_OF_ORDER))
    return conditions


def newest_id(session: Session, recipient_key: str) -> int | None:
    """The id of the newest email to a recipient. None when there is none."""
    mine = OutboxEmail.recipient_key == recipient_key
    return session.scalar(select(func.max(OutboxEmail.id)).where(mine))


def first_id(session: Session, at: datetime) -> int:
    """The id from which on emails were written at or after that time."""
    return session.scalars(_FIRST_ID, {"at": at}).one()


def _halving() -> Select[int]:
    """Halves the range of ids in which the email is that was the first to be written at or after
    ``at``, until one id is left. The database does it, because asking twenty times takes longer.
    """
    newest = func.coalesce(func.max(OutboxEmail.id), 0)
    whole = select(literal(0).label("first"), (newest + 1).label("end"))
    ranges = whole.cte("ranges", recursive=True)
    first, end = ranges.c.first, ranges.c.end
    middle = first + (end - first) // 2
    written = (
        select(OutboxEmail.created_at)
        .where(OutboxEmail.id >= middle)
        .order_by(OutboxEmail.id)
        .limit(1)
        .scalar_subquery()
    )
    is_late = written >= bindparam("at", type_=OutboxEmail.created_at.type)
    halved = select(case((is_late, first), else_=middle + 1), case((is_late, middle), else_=end))
    ranges = ranges.union_all(halved.where(first < end))
    return select(func.min(ranges.c.end))


_FIRST_ID = _halving()


def is_in(state: State) -> ColumnElement[bool]:
    """The condition that an email is in the state: a literal, as in the indexes' conditions."""
    return OutboxEmail.state == literal_column(f"'{state.value}'")


def has_message_id(text: str) -> ColumnElement[bool]:
    """The condition that an email has this Message-ID, given with or without angle brackets."""
    inner = storable(text.strip()).removeprefix("<").removesuffix(">")
    return OutboxEmail.message_id == f"<{inner}>"


def _goes_to(address: str) -> ColumnElement[bool]:
    return OutboxEmail.recipient_key == addresses.key_of(storable(address))
