"""Reports: what an email server, or a program that answers email, sends to the return path.

Anybody can send to that address, so a report changes only the email that it names: by a tag of this
shop, or by the Message-ID of the returned email, which nobody can guess. An address that stands in
a report changes nothing. Nothing is ever answered.
"""

import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from hashlib import sha256

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail.events import report_meaning, report_parts
from app.mail.events.hearing import LONGEST_ID, Counts, Heard, hear
from app.mail.events.tags import Tags
from app.mail.kinds import Kinds
from app.mail.outbox.event_tables import REPORT, Event
from app.mail.outbox.tables import OutboxEmail

log = logging.getLogger(__name__)

_RECIPIENTS = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To")
"""The headers that name the recipient of the report: what email servers add, then what its sender
wrote.
"""
_RETURNED = (
    "message/rfc822",
    "message/global",
    "text/rfc822-headers",
    "message/rfc822-headers",
    "message/global-headers",
)
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{3,318}>")
_IN_TEXT = re.compile(r"^[ \t>]*Message-ID:[ \t]*(<[!-;=?-~]{3,318}>)", re.I | re.M)
_MOST_IDS = 20
_UNMATCHED = Heard(Event.AUTORESPONDED, source_id="")
"""An event that names no email, so it counts as unmatched."""


def hear_report(
    database: Database, octets: bytes, *, tags: Tags, kinds: Kinds, now: datetime
) -> Counts:
    """Write what a report says about one of our emails, in a transaction of its own.

    A report that names no email of ours, and what is no report at all, counts as unmatched. A
    report that says nothing about what became of the email changes nothing. Raises the errors of
    the database.
    """
    heard = _heard(database, octets, tags)
    with database.transaction(write=True) as session:
        return hear(session, REPORT, heard, tags=tags, kinds=kinds, now=now)


def _heard(database: Database, octets: bytes, tags: Tags) -> list[Heard]:
    try:
        with report_parts.malformed_as_not_readable():
            report = report_parts.parse(octets)
            email_id, message_ids = _tagged(report, tags), _message_ids(report)
        # The report is read outside of a transaction, so that it keeps no writer waiting.
        with database.transaction(write=False) as session:
            email = _email(session, email_id, message_ids)
        if email is None:
            log.info("report about no email of ours: octets=%d", len(octets))
            return [_UNMATCHED]
        with report_parts.malformed_as_not_readable():
            return _about(email, report, octets, tags)
    except report_parts.NotReadable as problem:
        log.warning("report cannot be read: octets=%d problem=%s", len(octets), problem)
        return [_UNMATCHED]


def _email(session: Session, email_id: int | None, message_ids: list[str]) -> OutboxEmail | None:
    if email_id is not None:
        return session.get(OutboxEmail, email_id)
    named = OutboxEmail.message_id.in_(message_ids)
    found = session.scalars(select(OutboxEmail).where(named))
    return min(found, key=lambda email: message_ids.index(email.message_id), default=None)


def _about(email: OutboxEmail, report: Message, octets: bytes, tags: Tags) -> list[Heard]:
    """What the report says about the email. Of several recipients, the email's own counts, or else
    one that failed.
    """
    said = report_meaning.sayings(report, octets)
    recipient = report_meaning.address_of(email.recipient)
    said = [saying for saying in said if recipient in saying.recipients] or said
    saying = report_meaning.worst_of(said) if said else report_meaning.NOTHING
    if saying.event is None:
        log.info("report changes nothing: email=%d", email.id)
        return []
    heard = Heard(
        saying.event,
        _source_id(report, octets),
        tag=tags.of(email.id),
        at=_written_at(report, email),
        code=saying.code,
        words=saying.words,
    )
    return [heard]


def _tagged(report: Message, tags: Tags) -> int | None:
    """The id of the email whose tag the report carries."""
    ids = (tags.find(text) for text in _places_of_tag(report))
    return next((email_id for email_id in ids if email_id is not None), None)


def _places_of_tag(report: Message) -> Iterator[str]:
    """The texts in which the tag of the email may stand. The report's own recipient comes first."""
    for name in _RECIPIENTS:
        yield from (str(value) for value in report.get_all(name, []))
    for fields in _fields(report):
        yield report_parts.line_of(fields, "Original-Mail-From")
    if (returned := _returned(report)) is not None:
        yield report_parts.line_of(returned, "Return-Path")


def _message_ids(report: Message) -> list[str]:
    """The Message-IDs that may be the email's, the most likely first."""
    return list(dict.fromkeys(_places_of_message_id(report)))[:_MOST_IDS]


def _places_of_message_id(report: Message) -> Iterator[str]:
    fields = list(_fields(report))
    for place in (*fields, report):
        for name in ("Original-Message-ID", "X-Original-Message-ID"):
            yield from _MESSAGE_ID.findall(report_parts.line_of(place, name))
    if (returned := _returned(report)) is not None:
        yield from _MESSAGE_ID.findall(report_parts.line_of(returned, "Message-ID"))
    yield from _IN_TEXT.findall(report_parts.text_of(report))
    for name in ("In-Reply-To", "References"):
        yield from _MESSAGE_ID.findall(report_parts.line_of(report, name))


def _fields(report: Message) -> Iterator[Message]:
    """The groups of fields of a delivery status or of a feedback report."""
    if (status := report_parts.first(report, *report_meaning.STATUS)) is not None:
        yield from report_parts.blocks(status)
    if (feedback := report_parts.first(report, report_meaning.FEEDBACK)) is not None:
        inner = report_parts.inner(feedback)
        if inner is not None:
            yield inner


def _returned(report: Message) -> Message | None:
    """The email that the report returns, whole or its headers."""
    part = report_parts.first(report, *_RETURNED)
    return None if part is None else report_parts.inner(part)


def _source_id(report: Message, octets: bytes) -> str:
    """The report's own Message-ID, or else a digest of its body, which does not change when the
    report comes a second time by another way.
    """
    message_id = report_parts.line_of(report, "Message-ID")
    if len(message_id) <= LONGEST_ID and _MESSAGE_ID.fullmatch(message_id):
        return message_id
    _headers, _empty, body = octets.replace(b"\r\n", b"\n").partition(b"\n\n")
    return f"sha256:{sha256(body).hexdigest()}"


def _written_at(report: Message, email: OutboxEmail) -> datetime | None:
    """The report's date. None when it has none, or one before the email was written."""
    try:
        at = parsedate_to_datetime(report_parts.line_of(report, "Date"))
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return at if at >= email.created_at else None
