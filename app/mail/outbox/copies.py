"""Copies: a sent email that is sent again becomes a new email with its own key and Message-ID.

The database copies the content itself, so that no body travels.
"""

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from sqlalchemy import Integer, String, column, insert, literal, select, values
from sqlalchemy.orm import Session

from app.database.base import UTCDateTime, insert_for
from app.mail.metrics import EMAILS
from app.mail.outbox.after_commit import call_after_commit
from app.mail.outbox.tables import (
    HAS_BODY,
    EmailAttachment,
    OutboxEmail,
    State,
    new_message_id,
)

ACCEPTED = (State.SENT, State.BOUNCED)
"""The states of an email that a relay has taken. To send it again means to send a copy."""
_NUMBER = re.compile(r"#[0-9]+$")
_COPIED = (
    "kind",
    "about",
    "priority",
    "locale",
    "sender",
    "envelope_sender",
    "recipient_name",
    "recipient",
    "recipient_key",
    "mailbox_key",
    "reply_to",
    "subject",
    "html_body",
    "text_body",
)


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy to make: of which email, under which new key and Message-ID, and when it expires."""

    original: int
    key: str
    message_id: str
    expires_at: datetime


def copy_of(original: int, message_id: str, key: str, expires_at: datetime) -> Copy:
    """A copy of the email ``original``, with a new Message-ID like its ``message_id``."""
    domain = message_id.rpartition("@")[2].rstrip(">")
    return Copy(original, key, new_message_id(domain), expires_at)


def write(
    session: Session, copies: Sequence[Copy], now: datetime, request_id: str
) -> dict[int, int]:
    """Write the copies as queued emails. Returns their ids by the id of the original.
    ``request_id`` is the request or the command that asked for them.

    A copy is left out if its key is taken meanwhile, because somebody else made the same copy, or
    if its original has no body or was not accepted.
    """
    if not copies:
        return {}
    wanted = (
        values(
            column("original", Integer),
            column("key", String),
            column("message_id", String),
            column("expires_at", UTCDateTime()),
            name="wanted",
        )
        .data([(copy.original, copy.key, copy.message_id, copy.expires_at) for copy in copies])
        .cte("wanted")
    )
    content = {name: getattr(OutboxEmail, name) for name in _COPIED} | {
        "key": wanted.c.key,
        "message_id": wanted.c.message_id,
        "state": literal(State.QUEUED.value),
        "attempts": literal(0),
        "next_attempt_at": literal(now, UTCDateTime()),
        "expires_at": wanted.c.expires_at,
        "request_id": literal(request_id),
        "created_at": literal(now, UTCDateTime()),
    }
    originals = (
        select(*content.values())
        .join_from(OutboxEmail, wanted, OutboxEmail.id == wanted.c.original)
        .where(OutboxEmail.state.in_(ACCEPTED), HAS_BODY)
        .order_by(OutboxEmail.id)
    )
    written = session.execute(
        insert_for(session, OutboxEmail)
        .from_select(list(content), originals, include_defaults=False)
        .on_conflict_do_nothing(index_elements=["key"])
        .returning(OutboxEmail.id, OutboxEmail.message_id, OutboxEmail.kind)
    ).all()
    original_by_message_id = {copy.message_id: copy.original for copy in copies}
    ids = {original_by_message_id[row.message_id]: row.id for row in written}
    _copy_attachments(session, ids)
    for kind, count in Counter(row.kind for row in written).items():
        call_after_commit(session, partial(EMAILS.labels(kind, State.QUEUED).inc, count))
    return ids


def _copy_attachments(session: Session, ids: dict[int, int]) -> None:
    """Give each copy the files of its original. ``ids`` are the copies' ids by the original's."""
    if not ids:
        return
    pairs = (
        values(column("original", Integer), column("copy", Integer), name="pairs")
        .data(list(ids.items()))
        .cte("pairs")
    )
    names = ("position", "filename", "content_type", "content")
    files = select(pairs.c.copy, *(getattr(EmailAttachment, name) for name in names)).join_from(
        EmailAttachment, pairs, EmailAttachment.email_id == pairs.c.original
    )
    session.execute(insert(EmailAttachment).from_select(["email_id", *names], files))


@dataclass(frozen=True, slots=True)
class Series:
    """The copies of one act: the next free key, and the newest copy, if there is one."""

    next_key: str
    newest: int = 0


def original_key(key: str) -> str:
    """The key of the act: ``receipt:7`` for ``receipt:7#2``."""
    return _NUMBER.sub("", key)


def series_of(session: Session, keys: Collection[str]) -> dict[str, Series]:
    """The copies that exist of the emails with these keys, by ``original_key``."""
    series: dict[str, Series] = {}
    newest = {original_key(key): 0 for key in keys}
    open_ = set(newest)
    # Copies are numbered from 2 without a gap, so each turn asks for the next number of those that
    # have more copies. Nearly all end in the first turn.
    number = 2
    while open_:
        numbered = {f"{original}#{number}": original for original in open_}
        rows = session.execute(
            select(OutboxEmail.key, OutboxEmail.id).where(OutboxEmail.key.in_(numbered))
        )
        found: dict[str, int] = dict(rows.all())
        for key, original in numbered.items():
            if key in found:
                newest[original] = max(newest[original], found[key])
            else:
                series[original] = Series(key, newest[original])
                open_.discard(original)
        number += 1
    return series


def newest_copy(session: Session, key: str) -> int:
    """The id of the newest copy of an act's email; 0 when there is none."""
    return series_of(session, [key])[original_key(key)].newest


def emails_of_act(session: Session, key: str) -> list[tuple[int, datetime]]:
    """The emails of one act, with the time at which each was written: the first one, unless its row
    is gone, and then its copies.
    """
    original = original_key(key)
    last = int(series_of(session, [key])[original].next_key.rpartition("#")[2])
    keys = [original, *(f"{original}#{number}" for number in range(2, last))]
    rows = select(OutboxEmail.id, OutboxEmail.created_at).where(OutboxEmail.key.in_(keys))
    return [(row.id, row.created_at) for row in session.execute(rows.order_by(OutboxEmail.id))]


def next_key(session: Session, key: str) -> str:
    """The key of one more email for the same act: ``<key>#2``, then ``<key>#3``."""
    return series_of(session, [key])[original_key(key)].next_key
