"""Many decisions: resend, release or cancel every email that a filter finds.

The emails are decided in batches, each in a short transaction of its own, because workers and
customers write meanwhile. A batch applies the same rules as ``decisions`` does, with a few
statements for all its emails.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from pyramid.registry import Registry
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail.composing.composer import Composer
from app.mail.kinds import Kinds
from app.mail.message import Message
from app.mail.outbox import decisions
from app.mail.outbox.batches import Act, Batch, decide
from app.mail.outbox.rules import Refused, Why
from app.mail.outbox.search import Filter, find_page
from app.mail.outbox.tables import IS_UNCOMPOSED, OutboxEmail
from app.mail.outbox.wakeup import Wakeup

log = logging.getLogger(__name__)

BATCH = 100
"""How many emails one transaction decides. It takes less than 0.1 seconds."""
MOST_COUNTED = 10_000
_COUNTED_AT_ONCE = 2000
_MOST_STEPS = 8
"""After so many steps of the search, a count ends, because a page must not take long."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a filter finds, for the person who confirms."""

    states: Counter[str]
    """How many emails are in each state."""
    is_more: bool
    """Whether there may be more than were counted."""
    oldest: datetime | None
    """When the oldest one that was counted was written."""
    newest_id: int
    """No email with a higher id belongs to what is confirmed."""

    @property
    def count(self) -> int:
        """How many emails were counted."""
        return self.states.total()


def look(session: Session, filter: Filter, *, newest: int | None = None) -> Found:
    """What the filter finds among the emails up to the id ``newest``, by default all."""
    if newest is None:
        newest = session.scalar(select(func.max(OutboxEmail.id))) or 0
    states: Counter[str] = Counter()
    oldest_id: int | None = None
    before: int | None = newest + 1
    for _ in range(_MOST_STEPS):
        limit = min(_COUNTED_AT_ONCE, MOST_COUNTED - states.total())
        if before is None or not limit:
            break
        page = find_page(session, filter, before=before, limit=limit)
        if page.ids:
            states.update(_states(session, filter, page.ids))
            oldest_id = page.ids[-1]
        before = page.older
    oldest = select(OutboxEmail.created_at).where(OutboxEmail.id == oldest_id)
    return Found(
        states,
        is_more=before is not None,
        oldest=None if oldest_id is None else session.scalar(oldest),
        newest_id=newest,
    )


def _states(session: Session, filter: Filter, ids: Collection[int]) -> dict[str, int]:
    if filter.state is not None:
        return {filter.state: len(ids)}
    by_state = select(OutboxEmail.state, func.count()).group_by(OutboxEmail.state)
    return dict(session.execute(by_state.where(OutboxEmail.id.in_(ids))).all())


Note = Callable[[Session, Batch], None]
"""Keeps what a batch did, in the transaction of the batch."""


@dataclass(frozen=True, slots=True)
class ManyDecisions:
    """Decides about many emails of an application's outbox."""

    database: Database
    kinds: Kinds
    composer: Composer
    wakeup: Wakeup
    clock: Callable[[], datetime]

    @classmethod
    def of(cls, registry: Registry) -> Self:
        """Those of the application with this registry."""
        return cls(
            registry.database,
            registry.email_kinds,
            registry.email_composer,
            registry.email_wakeup,
            registry.clock,
        )

    def run(
        self, act: Act, filter: Filter, *, newest: int, by: str, note: Note, request_id: str = ""
    ) -> Iterator[Batch]:
        """Decide about every email that the filter finds with an id up to ``newest``, the newest
        first. Yields what each batch did, once it is committed.

        Whoever stops in between goes on with ``batch.ids[0] - 1`` as ``newest``. ``by`` says who
        decides, such as ``by a person``, and ``request_id`` is the request or the command. Two who
        do the same at once change each email once: the second one finds it changed, locked or
        copied.
        """
        before: int | None = newest + 1
        while before is not None:
            with self.database.transaction(write=False) as session:
                page = find_page(session, filter, before=before, limit=BATCH)
                broken = _uncomposed(session, page.ids) if act is Act.RESEND else ()
            before = page.older
            if not page.ids:
                continue
            # Composing stands outside of a transaction, because other writers would wait for it.
            composed = {email.id: self._compose(email) for email in broken}
            with self.database.transaction(write=True) as session:
                batch = decide(
                    session,
                    act,
                    sorted(page.ids),
                    filter.conditions(),
                    kinds=self.kinds,
                    composed=composed,
                    by=by,
                    request_id=request_id,
                    now=self.clock(),
                )
                if act is not Act.CANCEL and batch.done:
                    self.wakeup.after_commit(session)
                note(session, batch)
            log.info(
                "emails decided: act=%s done=%d refused=%d", act, batch.done, batch.refused_count
            )
            yield batch

    def _compose(self, email: OutboxEmail) -> Message | Refused:
        kind = self.kinds.get(email.kind)
        if kind is None:
            return Refused(Why.NO_KIND, "")
        try:
            return decisions.compose_for_resend(email, kind, self.composer)
        except Refused as refusal:
            return refusal


def _uncomposed(session: Session, ids: Collection[int]) -> Sequence[OutboxEmail]:
    mine = (OutboxEmail.id.in_(ids), IS_UNCOMPOSED)
    return session.scalars(select(OutboxEmail).where(*mine)).all()
