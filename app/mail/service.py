"""EmailService: the only way into the outbox. ``send_message`` makes an email from a message."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.orm import Session, lazyload

from app.database.base import insert_for
from app.database.text import storable
from app.i18n import formats
from app.mail import addresses
from app.mail.kinds import Kind
from app.mail.message import Message
from app.mail.metrics import EMAILS
from app.mail.outbox import endings
from app.mail.outbox.after_commit import call_after_commit, log_after_commit
from app.mail.outbox.tables import (
    OutboxEmail,
    State,
    new_message_id,
    suppressions,
    write_attachments,
)
from app.mail.outbox.wakeup import Wakeup
from app.mail.problems import problem_of
from app.mail.recomposing import made_from
from app.settings.declarations import Email, Site

log = logging.getLogger(__name__)

DAY = timedelta(days=1)


class KeyTaken(ValueError):
    """The idempotency key belongs to an email of another kind or to another recipient."""


@dataclass(frozen=True, slots=True)
class EmailService:
    """Sends messages: it writes them to the outbox in the caller's transaction. A worker talks to
    the relay later.

    ``settings`` are the SMTP settings and the debug flag that ``main()`` read from the .ini file,
    ``session`` is the caller's, and ``clock`` returns the time in UTC.
    """

    settings: Email
    site: Site
    session: Session
    clock: Callable[[], datetime]
    wakeup: Wakeup
    request_id: str = ""

    def send_message(
        self, message: Message, *, key: str, asked_by: str | None = None
    ) -> OutboxEmail:
        """Write ``message`` to the outbox. It goes out if and only if the session's transaction
        commits.

        ``key`` is the idempotency key: it says what was done, such as ``password_reset:7``. A
        second call with the same key writes nothing and returns the first email. Raises
        ``KeyTaken`` when the key belongs to another kind or recipient.

        ``asked_by`` names who asked for the email as "network/browser", where this may be somebody
        else than the recipient. The kind's limit counts each of them apart (``RateLimit``).

        A message that may not go out is written too, with its state and reason. The caller does not
        look at them, so its response is the same in every case.
        """
        now = self.clock()
        row = self._insert(message, key, asked_by, now)
        if row is None:
            row = self.session.scalars(select(OutboxEmail).where(OutboxEmail.key == key)).one()
            if (row.kind, row.recipient) != (message.kind.name, storable(message.to.address)):
                raise KeyTaken(
                    f"the key {key!r} belongs to email {row.id}, of another kind or recipient"
                )
            return row
        if message.attachments and (row.has_body or row.made_from is not None):
            write_attachments(self.session, row.id, message.attachments)
        if message.kind.supersedes:
            endings.supersede(self.session, row, erase=message.kind.carries_secret)
        if row.state == State.QUEUED:
            self.wakeup.after_commit(self.session)
        values = row.id, row.kind, row.state
        call_after_commit(self.session, EMAILS.labels(row.kind, row.state).inc)
        log_after_commit(self.session, log, "email written: email=%d kind=%s state=%s", *values)
        return row

    def _insert(
        self, message: Message, key: str, asked_by: str | None, now: datetime
    ) -> OutboxEmail | None:
        kind, sender = message.kind, self.settings.sender
        state, reason = self._first_state(message, asked_by, now)
        # A body that will never be sent is not stored when it carries a secret or cannot be written
        # as a message. A captured body is stored, because the mailbox in the browser shows it.
        stored = state in (State.QUEUED, State.CAPTURED) or not (
            kind.carries_secret or state == State.FAILED
        )
        # A message that could not be composed has no body, and is composed again later.
        is_uncomposed = message.problem is not None and (stored or state == State.FAILED)
        values = {
            "key": key,
            "kind": kind.name,
            "about": message.about,
            "asked_by": asked_by,
            "priority": int(kind.priority),
            "locale": message.to.locale,
            "sender": addresses.mailbox(sender.name, sender.address),
            "envelope_sender": self.settings.return_path,
            "recipient_name": storable(message.to.name),
            "recipient": storable(message.to.address),
            "reply_to": self.site.support_email,
            "subject": storable(message.subject),
            "html_body": message.html if stored else None,
            "text_body": message.text if stored else None,
            "made_from": made_from(message) if is_uncomposed else None,
            "message_id": new_message_id(sender.address.rpartition("@")[2]),
            "state": state,
            "reason": None if reason is None else storable(reason),
            "next_attempt_at": now if state == State.QUEUED else None,
            "expires_at": now + kind.time_to_live,
            "request_id": self.request_id,
            "created_at": now,
        }
        # The values are parameters, so SQLAlchemy builds no expression for each of them.
        inserted: OutboxEmail | None = self.session.scalars(
            insert_for(self.session, OutboxEmail)
            .on_conflict_do_nothing(index_elements=["key"])
            .returning(OutboxEmail)
            # They are written after the email, so there are none to load yet.
            .options(lazyload(OutboxEmail.attachments)),
            values,
        ).one_or_none()
        return inserted

    def _first_state(
        self, message: Message, asked_by: str | None, now: datetime
    ) -> tuple[State, str | None]:
        """The state of the new email, and the reason for it."""
        problem = problem_of(message)
        if problem is not None:
            log.error("message cannot be sent: kind=%s problem=%s", message.kind.name, problem)
            return State.FAILED, problem
        # Both look-ups are made in every case: an email that is held back takes as long as another.
        suppressed = suppressions(self.session, [addresses.key_of(message.to.address)], now)
        over_limit = self._over_limit(message.kind, message.to.address, asked_by, now)
        if over_limit is not None:
            return State.THROTTLED, over_limit
        if message.problem is not None:
            return State.FAILED, message.problem
        for address in suppressed.values():
            return State.SUPPRESSED, address.reason
        if self.settings.debug and not addresses.matches(
            message.to.address, self.settings.debug_recipients
        ):
            return State.CAPTURED, "email.debug is on"
        return State.QUEUED, None

    def _over_limit(
        self, kind: Kind, address: str, asked_by: str | None, now: datetime
    ) -> str | None:
        """Which limit the recipient has reached, or None. Every written email of the kind counts,
        whatever its state, except ``throttled`` ones.
        """
        limit = kind.limit
        mailbox_key = addresses.mailbox_key_of(address)
        if self.session.get_bind().dialect.name == "postgresql":
            # Transactions that count the same emails wait for each other, because neither sees what
            # the other has not committed. SQLite has only one writer at a time.
            digest = sha256(f"{kind.name} {mailbox_key}".encode("utf-8", "replace")).digest()
            number = int.from_bytes(digest[:4], signed=True)
            self.session.execute(select(func.pg_advisory_xact_lock(_LIMITS, number)))
        # The daily limits are for emails that a stranger can ask for, and nobody else's count.
        is_daily = asked_by is not None and (
            limit.per_network is not None or limit.per_recipient is not None
        )
        network = (asked_by or "").partition("/")[0]
        written = self.session.execute(
            _WRITTEN,
            {
                "mailbox_key": mailbox_key,
                "recipient_key": addresses.key_of(address),
                "kind": kind.name,
                "asked_by": asked_by,
                "network": re.sub("[/%_]", r"/\g<0>", network) + "//%",
                "lately": now - limit.period,
                "today": now - DAY,
                "begin": now - (max(limit.period, DAY) if is_daily else limit.period),
                "now": now,
            },
        ).one()
        if written.for_browser >= limit.count:
            period = formats.duration(limit.period, "en")
            return f"over the limit of {limit.count} in {period}"
        if not is_daily:
            return None
        if (
            limit.per_network is not None
            and written.for_network >= limit.per_network
            and written.lately_to_mailbox
        ):
            return f"over the limit of {limit.per_network} in 1 day for one network"
        if (
            limit.per_recipient is not None
            and written.to_recipient >= limit.per_recipient
            and written.lately_to_recipient
        ):
            return f"over the limit of {limit.per_recipient} in 1 day for one recipient"
        return None


def _counts() -> Select[int, int, int, int, int]:
    """The emails of a kind to one mailbox, counted as each of the limits counts them."""
    of_browser = OutboxEmail.asked_by.is_not_distinct_from(bindparam("asked_by"))
    of_network = OutboxEmail.asked_by.like(bindparam("network"), escape="/")
    to_recipient = OutboxEmail.asked_by.is_not(None) & (
        OutboxEmail.recipient_key == bindparam("recipient_key")
    )
    is_recent = OutboxEmail.created_at > bindparam("lately")
    is_of_today = OutboxEmail.created_at > bindparam("today")
    # A cancelled email brings nobody a link.
    is_of_use = is_recent & (OutboxEmail.state != State.CANCELLED)
    return (
        select(
            func.count().filter(of_browser, is_recent).label("for_browser"),
            func.count().filter(of_network, is_of_today).label("for_network"),
            func.count().filter(to_recipient, is_of_today).label("to_recipient"),
            func.count().filter(is_of_use).label("lately_to_mailbox"),
            func.count().filter(is_of_use, to_recipient).label("lately_to_recipient"),
        )
        .select_from(OutboxEmail)
        .where(
            OutboxEmail.mailbox_key == bindparam("mailbox_key"),
            OutboxEmail.kind == bindparam("kind"),
            OutboxEmail.created_at > bindparam("begin"),
            # A clock that was ahead may have written a later time. It counts for nothing.
            OutboxEmail.created_at <= bindparam("now"),
            OutboxEmail.state != State.THROTTLED,
        )
    )


_WRITTEN = _counts()
"""Built once, since that takes longer than to run it."""
_LIMITS = 1
"""The first key of this module's advisory locks. PostgreSQL keeps locks with two keys apart from
the workers' locks, which have one.
"""
