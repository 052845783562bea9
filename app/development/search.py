"""What the mailbox's list is filtered by, and its pages."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from app.mail.outbox.tables import OutboxEmail


def read_id(text: str) -> int | None:
    """The id of an email as a path or a query names it. None for anything else, and for a number
    with more digits than any id has, which would make the database raise an error.
    """
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else None


@dataclass(frozen=True, slots=True)
class Search:
    """A part of the address, a kind, a part of the subject and a part of either body."""

    to: str = ""
    kind: str = ""
    subject: str = ""
    body: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> Self:
        """The search in a request's query."""
        return cls(**{name: query.get(name, "").strip() for name in cls.__slots__})

    @property
    def query(self) -> dict[str, str]:
        """The search as a query, without empty fields."""
        return {name: value for name, value in asdict(self).items() if value}

    def statement(self) -> Select[OutboxEmail]:
        """The SELECT of the emails that it finds."""
        found = select(OutboxEmail)
        if self.to:
            found = found.where(OutboxEmail.recipient.icontains(self.to, autoescape=True))
        if self.kind:
            found = found.where(OutboxEmail.kind == self.kind)
        if self.subject:
            found = found.where(OutboxEmail.subject.icontains(self.subject, autoescape=True))
        if self.body:
            bodies = (OutboxEmail.text_body, OutboxEmail.html_body)
            found = found.where(or_(*(b.icontains(self.body, autoescape=True) for b in bodies)))
        return found


@dataclass(frozen=True, slots=True)
class ListPage:
    """Some of the emails that a search finds, the newest first. ``newer`` and ``older`` are the
    queries of the neighbouring pages, None where there are no more emails.
    """

    emails: Sequence[OutboxEmail]
    newer: dict[str, str] | None
    older: dict[str, str] | None


def list_page(
    session: Session, search: Search, size: int, *, before: int | None, after: int | None
) -> ListPage:
    """The page of at most ``size`` emails that are older than ``before``, or newer than ``after``.
    Without either, the newest.
    """
    found = search.statement()
    if after is not None:
        # The oldest of the newer ones, so that no email is left out between two pages.
        rows = found.where(OutboxEmail.id > after).order_by(OutboxEmail.id).limit(size)
        emails = list(session.scalars(rows))[::-1]
    else:
        older = found if before is None else found.where(OutboxEmail.id < before)
        emails = list(session.scalars(older.order_by(OutboxEmail.id.desc()).limit(size)))
    if not emails:
        return ListPage([], None, None)
    first, last = emails[0].id, emails[-1].id
    ids = found.with_only_columns(OutboxEmail.id).limit(1)
    has_newer = session.scalar(ids.where(OutboxEmail.id > first)) is not None
    has_older = session.scalar(ids.where(OutboxEmail.id < last)) is not None
    return ListPage(
        emails,
        search.query | {"after": str(first)} if has_newer else None,
        search.query | {"before": str(last)} if has_older else None,
    )


def count_newer(session: Session, search: Search, than: int) -> int:
    """The number of emails that the search finds and that were written after the email ``than``."""
    newer = search.statement().where(OutboxEmail.id > than).with_only_columns(func.count())
    return session.scalar(newer) or 0
