"""An application's outbox for tests: emails of the test's own kinds are written into it, and rows
are read, moved and counted.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail import Attachment, Kind, Message, Priority, RateLimit, Recipient
from app.mail.outbox.tables import (
    EmailAttachment,
    EmailAttempt,
    OutboxEmail,
    State,
    SuppressedAddress,
)
from app.mail.service import EmailService
from tests.support.rows import count
from tests.support.scripted_smtp import ScriptedSMTP
from tests.support.waiting import eventually

RECEIPT = Attachment("receipt.pdf", "application/pdf", b"%PDF-1.7")


@dataclass(frozen=True)
class Note:
    """The context of the tests' own kinds."""

    words: str = "Hello"


def kind(name: str = "note", **policies: Any) -> Kind:
    """A kind of email with the given policies."""
    defaults: dict[str, Any] = {
        "samples": {"short": Note(), "long": Note("Hello " * 100)},
        "time_to_live": timedelta(days=3),
        "priority": Priority.ACCOUNT,
        "limit": RateLimit(1000, timedelta(hours=1)),
    }
    return Kind(name, Note, **(defaults | policies))


@dataclass
class Outbox:
    """The outbox of the application with this registry."""

    registry: Any

    def write(self, number: int = 1, *, of: Kind | None = None, **overrides: Any) -> OutboxEmail:
        """Commit one email, as a request would. A kind that is not yet registered is added."""
        sent_kind = of or kind()
        if self.registry.email_kinds.get(sent_kind.name) is None:
            self.registry.email_kinds.add(sent_kind)
        sent_kind = self.registry.email_kinds.get(sent_kind.name)
        address = overrides.pop("address", f"customer{number}@example.org")
        key = overrides.pop("key", f"{sent_kind.name}:{number}")
        asked_by = overrides.pop("asked_by", None)
        values: dict[str, Any] = {
            "kind": sent_kind,
            "to": Recipient(address, overrides.pop("name", "")),
            "about": f"note:{number}",
            "subject": f"Note {number} for you",
            "html": f"<p>Hello {number}</p>",
            "text": f"Hello {number}\n",
        }
        message = Message(**(values | overrides))
        with self.registry.database.transaction(write=True) as session:
            email = self.service(session).send_message(message, key=key, asked_by=asked_by)
        return self.row(email)

    def service(self, session: Session) -> EmailService:
        """The email service that a request of the application would have."""
        registry = self.registry
        return EmailService(
            settings=registry.pillarbox.email,
            site=registry.pillarbox.site,
            session=session,
            clock=registry.clock,
            wakeup=registry.email_wakeup,
        )

    def row(self, email: OutboxEmail) -> OutboxEmail:
        """The email's row as it is now."""
        with self.registry.database.transaction(write=False) as session:
            return session.get_one(OutboxEmail, email.id)

    def attempts(self, email: OutboxEmail) -> list[EmailAttempt]:
        """The email's attempts, the first one first."""
        mine = select(EmailAttempt).where(EmailAttempt.email_id == email.id)
        with self.registry.database.transaction(write=False) as session:
            return list(session.scalars(mine.order_by(EmailAttempt.id)))

    def suppress(
        self, address: str, reason: str = "it bounced", wait: timedelta = timedelta(days=1)
    ) -> None:
        """Suppress the address for that long."""
        now = self.registry.clock()
        with self.registry.database.transaction(write=True) as session:
            session.add(
                SuppressedAddress(address=address, reason=reason, created_at=now, until=now + wait)
            )

    def change(self, email: OutboxEmail, **values: Any) -> OutboxEmail:
        """The email's row, with other values written into it."""
        with self.registry.database.transaction(write=True) as session:
            session.execute(update(OutboxEmail).where(OutboxEmail.id == email.id).values(**values))
        return self.row(email)


def each_is_sent_once(outbox: Outbox, relay: ScriptedSMTP, emails: Collection[OutboxEmail]) -> None:
    """Wait until every email is sent, and check that the relay took each of them once and nothing
    else.
    """

    def all_are_sent() -> bool:
        return {outbox.row(email).state for email in emails} == {State.SENT}

    eventually(all_are_sent, seconds=40, what=f"{len(emails)} emails to be sent")
    assert Counter(relay.received) == Counter(email.message_id for email in emails)


def put(outbox: Outbox, email: OutboxEmail, state: State, **values: Any) -> OutboxEmail:
    """The email's row, moved into a state by force."""
    return outbox.change(email, state=state, next_attempt_at=None, **values)


def attachments(outbox: Outbox) -> int:
    """How many attachments the database holds."""
    return count(outbox.registry.database, EmailAttachment)


def unsettled(database: Database) -> int:
    """How many emails are still on their way."""
    with database.transaction(write=False) as session:
        under_way = OutboxEmail.state.in_([State.QUEUED, State.SENDING])
        return session.scalar(select(func.count()).where(under_way)) or 0
