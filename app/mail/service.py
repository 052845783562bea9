"""EmailService: the one door through which a message becomes an email on its way."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.database import insert_for
from app.i18n import formats
from app.mail import addresses
from app.mail.kinds import Kind
from app.mail.message import Message
from app.mail.outbox import endings, log_after_commit
from app.mail.outbox.tables import (
    EmailAttachment,
    OutboxEmail,
    State,
    SuppressedAddress,
    new_message_id,
)
from app.mail.outbox.wakeup import Wakeup
from app.settings import Email, Site

log = logging.getLogger(__name__)


class KeyTaken(ValueError):
    """The same business key was used for another kind of email or another recipient."""


@dataclass(frozen=True, slots=True)
class EmailService:
    """Sends messages by writing them to the outbox in the caller's own transaction. It never speaks
    to a relay.

    ``settings`` are the SMTP settings and the debug flag that ``main()`` read from the .ini file;
    ``session`` is the caller's; ``clock`` gives the time in UTC.
    """

    settings: Email
    site: Site
    session: Session
    clock: Callable[[], datetime]
    wakeup: Wakeup
    request_id: str = ""

    def send_message(self, message: Message, *, key: str) -> OutboxEmail:
        """Write ``message`` to the outbox; it goes out if and only if the session's transaction
        commits.

        ``key`` says what was done, such as ``password_reset:7``. A second call with the same key
        returns the first row and writes nothing. Raises ``KeyTaken`` when the key belongs to
        another kind or recipient. What is not to go out gets a row too, with its state and reason:
        the caller need not know, and its response is the same.
        """
        now = self.clock()
        row = self._insert(message, key, now)
        if row is None:
            return self._first_row(message, key)
        if message.attachments and row.has_body:
            self.session.add_all(
                EmailAttachment(
                    email_id=row.id,
                    position=position,
                    filename=attachment.filename,
                    content_type=attachment.content_type,
                    content=attachment.content,
                )
                for position, attachment in enumerate(message.attachments)
            )
            self.session.flush()
        if message.kind.supersedes and row.state in (State.QUEUED, State.CAPTURED):
            endings.supersede(self.session, row, erase=message.kind.carries_secret)
        if row.state == State.QUEUED:
            self.wakeup.after_commit(self.session)
        log_after_commit.after_commit(
            self.session, log, "email %d (%s) is %s", row.id, row.kind, row.state
        )
        return row

    def _insert(self, message: Message, key: str, now: datetime) -> OutboxEmail | None:
        kind = message.kind
        state, reason, sender = self._verdict(message, now)
        # Bodies that will never be sent are not even stored when they carry a secret or cannot be
        # written as a message; captured ones are, for the mailbox.
        stored = state in (State.QUEUED, State.CAPTURED) or not (
            kind.carries_secret or state == State.FAILED
        )
        domain = self.settings.sender.address.rpartition("@")[2]
        values: dict[str, Any] = {
            "key": key,
            "kind": kind.name,
            "about": message.about,
            "priority": int(kind.priority),
            "locale": message.to.locale,
            "sender": sender,
            "envelope_sender": self.settings.return_path,
            "recipient_name": _storable(message.to.name),
            "recipient": _storable(message.to.address),
            "reply_to": self.site.support_email,
            "subject": _storable(message.subject),
            "html_body": message.html if stored else None,
            "text_body": message.text if stored else None,
            "message_id": new_message_id(domain),
            "state": state,
            "reason": reason,
            "next_attempt_at": now if state == State.QUEUED else None,
            "expires_at": now + kind.time_to_live,
            "request_id": self.request_id,
            "created_at": now,
        }
        inserted: OutboxEmail | None = self.session.scalars(
            insert_for(self.session, OutboxEmail)
            .values(**values)
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(OutboxEmail)
        ).one_or_none()
        return inserted

    def _first_row(self, message: Message, key: str) -> OutboxEmail:
        row = self.session.scalars(select(OutboxEmail).where(OutboxEmail.key == key)).one()
        if (row.kind, row.recipient) != (message.kind.name, _storable(message.to.address)):
            raise KeyTaken(
                f"the key {key!r} belongs to email {row.id}, of another kind or recipient"
            )
        return row

    def _verdict(self, message: Message, now: datetime) -> tuple[State, str | None, str]:
        """What becomes of the message, why, and its From header."""
        sender = self.settings.sender
        from_header = addresses.mailbox(sender.name, sender.address)
        problem = message.problem or _problem_of(message)
        if problem is not None:
            log.error("email kind %s cannot be sent: %s", message.kind.name, problem)
            return State.FAILED, problem, from_header
        if self._is_over_limit(message.kind, message.to.address, now):
            limit = message.kind.limit
            return (
                State.THROTTLED,
                f"over the limit of {limit.count} in {formats.duration(limit.period, 'en')}",
                from_header,
            )
        suppressed = self.session.get(SuppressedAddress, addresses.key_of(message.to.address))
        if suppressed is not None:
            return State.SUPPRESSED, suppressed.reason, from_header
        if self.settings.debug and not addresses.matches(
            message.to.address, self.settings.debug_recipients
        ):
            return State.CAPTURED, "email.debug is on", from_header
        return State.QUEUED, None, from_header

    def _is_over_limit(self, kind: Kind, address: str, now: datetime) -> bool:
        """Counted over what was written for this recipient, whatever became of it, but for what the
        limit itself held back.
        """
        self._await_turn(f"{kind.name} {addresses.key_of(address)}")
        written = self.session.scalar(
            select(func.count())
            .select_from(OutboxEmail)
            .where(
                OutboxEmail.recipient_key == addresses.key_of(address),
                OutboxEmail.kind == kind.name,
                OutboxEmail.created_at > now - kind.limit.period,
                OutboxEmail.state != State.THROTTLED,
            )
        )
        return (written or 0) >= kind.limit.count

    def _await_turn(self, subject: str) -> None:
        """Let who writes about the same thing at the same time commit first, or none of the two
        would count the other. SQLite has one writer anyway.
        """
        if self.session.get_bind().dialect.name == "postgresql":
            number = int.from_bytes(
                sha256(subject.encode("utf-8", "replace")).digest()[:4], signed=True
            )
            self.session.execute(select(func.pg_advisory_xact_lock(_LIMITS, number)))


_LIMITS = 1
"""The first number of this module's advisory locks. Workers' locks have one number only, so they
are others.
"""
LARGEST = 10_000_000
"""Octets of bodies and attachments together. Most relays take no more than about this, and nothing
that one act sends to one person comes near it.
"""


def _problem_of(message: Message) -> str | None:
    """Why the message cannot be written as an email, in words that name no address."""
    try:
        addresses.mailbox(message.to.name, message.to.address)
        addresses.check_text(message.subject, "the subject")
        size = sum(_size(body) for body in (message.html, message.text) if body is not None)
        for attachment in message.attachments:
            addresses.check_text(attachment.filename, "the name of an attachment")
            addresses.check_text(attachment.content_type, "the type of an attachment")
            size += len(attachment.content)
    except addresses.BadAddress as error:
        return str(error)
    if size > LARGEST:
        return f"the email has {size} octets, and the most is {LARGEST}"
    return None


def _size(body: str) -> int:
    if "\x00" in body:
        raise addresses.BadAddress("the body contains a NUL character")
    try:
        return len(body.encode())
    except UnicodeEncodeError as error:
        raise addresses.BadAddress(
            "the body contains half a character (a lone surrogate)"
        ) from error


def _storable(value: str) -> str:
    """``value`` as both databases can hold it: PostgreSQL takes no NUL, and neither takes a lone
    surrogate.
    """
    return value.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
