"""Search: the emails that a filter finds, for the log in the browser and for `pillarbox emails`."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from app.mail import addresses
from app.mail.outbox.tables import OutboxEmail, State

PAGE = 50


@dataclass(frozen=True, slots=True)
class Filter:
    """Which emails to find. What is None does not matter.

    ``since`` is the earliest time at which an email was written, ``until`` the time before which it
    was. ``reason`` is how its reason begins, in upper or lower case.
    """

    state: State | None = None
    kind: str | None = None
    recipient: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        """The conditions that an email fulfils."""
        conditions: list[ColumnElement[bool]] = []
        if self.state is not None:
            conditions.append(OutboxEmail.state == self.state)
        if self.kind is not None:
            conditions.append(OutboxEmail.kind == self.kind)
        if self.recipient is not None:
            conditions.append(OutboxEmail.recipient_key == addresses.key_of(self.recipient))
        if self.since is not None:
            conditions.append(OutboxEmail.created_at >= self.since)
        if self.until is not None:
            conditions.append(OutboxEmail.created_at < self.until)
        if self.reason is not None:
            conditions.append(OutboxEmail.reason.istartswith(self.reason, autoescape=True))
        return conditions


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
    found = select(OutboxEmail).where(*filter.conditions())
    if before is not None:
        found = found.where(OutboxEmail.id < before)
    return list(session.scalars(found.order_by(OutboxEmail.id.desc()).limit(limit)))


def find_page(
    session: Session, filter: Filter, *, before: int | None = None, limit: int = PAGE
) -> Page:
    """Up to ``limit`` emails with an id below ``before``."""
    ids = [email.id for email in find(session, filter, before=before, limit=limit + 1)]
    return Page(ids[:limit], ids[limit - 1] if len(ids) > limit else None)
