"""Keeps an action on many emails: one row, which each batch brings up to date in its transaction.

So the row says what was done, even when the action stopped in between.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.mail.outbox.batches import Batch
from app.mail.outbox.rules import Why
from app.mail.outbox.search import Filter
from app.staff.actions import record_emails, write_action
from app.staff.models import StaffAction

MOST_IDS = 5
"""How many refused emails of one reason are named."""
_LINE = re.compile(r"([a-z_]+): ([0-9]+) \(([0-9, ]+)\)")


class Refusal(NamedTuple):
    """How many emails were refused for one reason, and the ids of the newest."""

    why: Why
    number: int
    ids: list[int]


@dataclass(slots=True)
class KeptAction:
    """An action on many emails and its row. Pass ``note`` to ``ManyDecisions.run``.

    ``by`` is the command that does it; empty for a member of staff. ``id`` is the row's, once there
    is one.
    """

    action: str
    target: str
    clock: Callable[[], datetime]
    staff_id: int | None
    request_id: str
    by: str = ""
    id: int | None = None
    done: int = 0
    refused: int = 0
    refusals: dict[Why, Refusal] = field(default_factory=dict)

    def note(self, session: Session, batch: Batch) -> None:
        """Add what a batch did."""
        row = None
        if self.id is not None:
            # Whoever pressed the same button twice carries the same action out at this moment.
            row = session.get(StaffAction, self.id, with_for_update=True)
        if row is not None:
            self.go_on(row)
        self.done += batch.done
        self.refused += batch.refused_count
        for why, ids in batch.refused.items():
            before = self.refusals.get(why, Refusal(why, 0, []))
            some = [*before.ids, *sorted(ids, reverse=True)][:MOST_IDS]
            self.refusals[why] = Refusal(why, before.number + len(ids), some)
        detail = "\n".join([*([self.by] if self.by else []), *map(_line, self.refusals.values())])
        if row is None:
            row = write_action(
                session,
                self.action,
                self.target,
                now=self.clock(),
                staff_id=self.staff_id,
                done=0,
                request_id=self.request_id,
            )
            self.id = row.id
        row.done, row.refused, row.detail = self.done, self.refused, detail
        record_emails(session, row, batch.changed)

    def go_on(self, row: StaffAction) -> None:
        """Go on with an action that stopped in between."""
        self.id, self.done, self.refused = row.id, row.done, row.refused
        self.refusals = {refusal.why: refusal for refusal in refusals_of(row)}


def _line(refusal: Refusal) -> str:
    return f"{refusal.why}: {refusal.number} ({', '.join(map(str, refusal.ids))})"


def refusals_of(row: StaffAction) -> Iterator[Refusal]:
    """Which emails an action on many could not change, by reason, from the row's ``detail``."""
    for line in row.detail.splitlines():
        if (read := _LINE.fullmatch(line)) and read[1] in _WHYS:
            yield Refusal(Why(read[1]), int(read[2]), [int(id) for id in read[3].split(",")])


_WHYS = frozenset(Why)


def command_of(row: StaffAction) -> str | None:
    """The command that did it, such as ``pillarbox emails``. None when a person did."""
    first_line = row.detail.partition("\n")[0]
    is_command = row.staff_id is None and first_line.startswith("pillarbox ")
    return first_line if is_command else None


def target_of(filter: Filter) -> str:
    """The filter, as the row keeps it. It holds no address."""
    facts = {
        "state": filter.state,
        "kind": filter.kind,
        "since": filter.since and f"{filter.since:%Y-%m-%dT%H:%MZ}",
        "until": filter.until and f"{filter.until:%Y-%m-%dT%H:%MZ}",
        "reason": filter.reason and re.sub(r"\S*@\S*", "…", filter.reason),
        "to": filter.recipient and "one address",
        "about": filter.about,
        "message-id": filter.message_id,
    }
    words = [f"{name}={value}" for name, value in facts.items() if value]
    return f"emails: {', '.join(words) or 'all'}"
