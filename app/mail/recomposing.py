"""Composing again: an email whose template was broken is composed once the template is corrected.

The row of such an email is ``failed`` and keeps in ``made_from`` what the message is made from. It
keeps its key and its Message-ID.
"""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail.composing import contexts
from app.mail.composing.composer import Composer
from app.mail.composing.contexts import Unkeepable
from app.mail.kinds import Kind, Kinds
from app.mail.message import Attachment, BodyFormat, Message, Recipient
from app.mail.outbox.changes import delete_attachments, update_emails
from app.mail.outbox.tables import IS_UNCOMPOSED, OutboxEmail, State, write_attachments
from app.mail.outbox.wakeup import Wakeup
from app.mail.problems import problem_of

log = logging.getLogger(__name__)

BATCH = 50
"""How many emails one call of ``Recomposing.run`` composes, about 0.2 seconds of work."""


def made_from(message: Message) -> str | None:
    """What ``compose_again`` needs beside the row's columns, as JSON. None when the message cannot
    be composed again, because its context is none that can be kept.
    """
    if message.context is None:
        return None
    try:
        return contexts.to_json([str(message.to.body_format), message.context])
    except Unkeepable as error:
        log.error("context cannot be kept: kind=%s problem=%s", message.kind.name, error)
        return None


def compose_again(composer: Composer, kind: Kind, email: OutboxEmail) -> Message:
    """Compose the email from what it keeps. Raises ``Unkeepable`` when the context does not fit the
    kind any more, and the template's errors when it is still broken.
    """
    body_format, context = contexts.from_json(email.made_from or "")
    if not isinstance(context, kind.context):
        raise Unkeepable(f"its context is a {type(context).__name__}, not {kind.context.__name__}")
    to = Recipient(email.recipient, email.recipient_name, email.locale, BodyFormat(body_format))
    attachments = tuple(
        Attachment(attachment.filename, attachment.content_type, attachment.content)
        for attachment in email.attachments
    )
    return composer.compose(
        kind, context, to=to, about=email.about, attachments=attachments, strictly=True
    )


def columns_of(message: Message) -> dict[str, Any]:
    """The columns that a row gets from a message that was composed again. Whoever writes them calls
    ``replace_attachments`` too.
    """
    return {
        "locale": message.to.locale,
        "subject": message.subject,
        "html_body": message.html,
        "text_body": message.text,
        "made_from": None,
    }


def replace_attachments(session: Session, email_id: int, message: Message) -> None:
    """Give the row the files of a message that was composed again, because composing adds some."""
    delete_attachments(session, [email_id])
    write_attachments(session, email_id, message.attachments)


@dataclass(slots=True)
class Recomposing:
    """Composes every email again that could not be composed, once in the life of a worker: a
    template is corrected by a new version, which a start brings.
    """

    database: Database
    kinds: Kinds
    composer: Composer
    wakeup: Wakeup
    is_done: bool = False
    _last_id: int = 0
    _queued: int = 0
    _failed: int = 0
    _logged: set[tuple[str, str]] = field(default_factory=set)

    def run(self, now: datetime) -> None:
        """Try the next ``BATCH`` emails that are not expired at ``now``. Each email is tried once;
        after the last one, the call does nothing.
        """
        if self.is_done:
            return
        with self.database.transaction(write=False) as session:
            emails = session.scalars(
                select(OutboxEmail)
                .where(
                    IS_UNCOMPOSED,
                    OutboxEmail.state == State.FAILED,
                    OutboxEmail.id > self._last_id,
                    OutboxEmail.expires_at > now,
                )
                .order_by(OutboxEmail.id)
                .limit(BATCH)
            ).all()
        # Composing stands outside of a transaction, because other writers would wait for it.
        composed = [(email, message) for email in emails if (message := self._compose(email))]
        if composed:
            with self.database.transaction(write=True) as session:
                for email, message in composed:
                    self._queued += _queue(session, email, message, now)
                self.wakeup.after_commit(session)
        if emails:
            self._last_id = emails[-1].id
        if len(emails) < BATCH:
            self.is_done = True
            if self._queued or self._failed:
                log.info("emails composed again: queued=%d failed=%d", self._queued, self._failed)

    def _compose(self, email: OutboxEmail) -> Message | None:
        kind = self.kinds.get(email.kind)
        if kind is not None:
            try:
                message = compose_again(self.composer, kind, email)
                if problem_of(message) is None:
                    return message
            except Exception as error:
                # One template breaks many emails alike, so the log has each error of a kind once.
                seen = (kind.name, type(error).__name__)
                if seen not in self._logged:
                    self._logged.add(seen)
                    log.exception(
                        "email could not be composed again: email=%d kind=%s", email.id, kind.name
                    )
        self._failed += 1
        return None


def _queue(session: Session, email: OutboxEmail, message: Message, now: datetime) -> int:
    """Move the email to ``queued``, unless somebody changed it meanwhile. Returns 1 or 0. What may
    end it, such as debug mode or a newer email, ends it at its claim.
    """
    queued = update_emails(
        session,
        OutboxEmail.id == email.id,
        OutboxEmail.state == State.FAILED,
        IS_UNCOMPOSED,
        OutboxEmail.expires_at > now,
        state=State.QUEUED,
        reason=None,
        attempts=0,
        next_attempt_at=now,
        **columns_of(message),
    )
    if queued:
        replace_attachments(session, email.id, message)
    return queued
