"""A batch: the emails that one connection claims at a time, and the guards that they pass.

A guard can end an email just before the handover: debug mode, time to live, suppression, a newer
email, or a missing body.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.database.engine import Database
from app.mail import addresses
from app.mail.delivery import relay
from app.mail.events.tags import Tags, tag_header
from app.mail.kinds import Kind, Kinds
from app.mail.outbox import claims, endings
from app.mail.outbox.tables import OutboxEmail, State, suppressions
from app.mail.smtp.envelope import Envelope
from app.mail.smtp.mime import message_bytes
from app.settings.declarations import Email
from app.settings.values import TAG

log = logging.getLogger(__name__)

BATCH = 20
"""How many emails a connection claims at a time: enough to send one right after another, and few
enough to leave some to other workers.
"""


@dataclass(frozen=True, slots=True)
class Batch:
    """A claimed batch: how many emails were ``claimed``, those that passed the guards, and the
    relay's failures in a row (``relay.may_try``).
    """

    claimed: int = 0
    passed: tuple[tuple[OutboxEmail, Kind], ...] = ()
    relay_failures: int = 0


@dataclass(frozen=True, slots=True)
class ReadyEmail:
    """An email that passed the guards, with its envelope and the bytes that the relay will get."""

    email: OutboxEmail
    kind: Kind
    envelope: Envelope
    message: bytes


@dataclass(frozen=True, slots=True)
class Batches:
    """Claims batches and prepares their emails for the handover."""

    database: Database
    settings: Email
    kinds: Kinds
    clock: Callable[[], datetime]
    tags: Tags

    def claim(
        self, worker: str, in_progress: Callable[[], set[int]], only: int | None = None
    ) -> Batch:
        """Claim due emails for ``worker``, or ``only`` the email with that id, and run the guards.
        The batch is empty while the relay rests.
        """
        relay_name = relay.name_of(self.settings)
        with self.database.transaction(write=False) as session:
            now = self.clock()
            if not claims.has_due(session, now) or relay.rest(session, relay_name, now):
                return Batch()
        with self.database.transaction(write=True, asynchronous_commit=True) as session:
            now = self.clock()
            claimed = claims.claim(session, worker, now, BATCH, only, in_progress=in_progress())
            passed = self._guarded(session, claimed, now)
            failures = relay.may_try(session, relay_name, now) if passed else 0
            if failures is None:
                ids = {email.id for email, _ in passed}
                claims.hand_back(session.connection(), worker, ids)
                return Batch()
        return Batch(len(claimed), tuple(passed), failures)

    def ready_emails(self, batch: Batch) -> list[ReadyEmail]:
        """The batch's emails with their envelopes and bytes. An email that cannot be written as a
        message becomes ``failed``.

        Call this after ``claim`` has committed, because other writers wait for its transaction.
        """
        ready = []
        for email, kind in batch.passed:
            result = self._ready_email(email, kind)
            if isinstance(result, ReadyEmail):
                ready.append(result)
                continue
            with self.database.transaction(write=True, asynchronous_commit=True) as session:
                _end(session, email, kind, State.FAILED, result)
        return ready

    def _guarded(
        self, session: Session, claimed: list[OutboxEmail], now: datetime
    ) -> list[tuple[OutboxEmail, Kind]]:
        """The emails that may go out, with their kinds. The guards end the others."""
        if not claimed:
            return []
        keys = [email.recipient_key for email in claimed]
        suppressed = {key: row.reason for key, row in suppressions(session, keys, now).items()}
        kinds = {email.id: self.kinds.get(email.kind) for email in claimed}
        ids = [number for number, kind in kinds.items() if kind is not None and kind.supersedes]
        superseded = endings.superseded(session, ids) if ids else {}
        passed = []
        for email in claimed:
            kind = kinds[email.id]
            ending = self._ending(email, suppressed, superseded, now)
            if kind is None:
                ending = State.FAILED, f"there is no kind of email named {email.kind!r} any more"
            elif ending is None:
                passed.append((email, kind))
                continue
            _end(session, email, kind, *ending)
        return passed

    def _ending(
        self,
        email: OutboxEmail,
        suppressed: dict[str, str],
        superseded: dict[int, int],
        now: datetime,
    ) -> tuple[State, str] | None:
        """The state in which a guard ends the email, and the reason. None when it may go out."""
        settings = self.settings
        if settings.debug and not addresses.matches(email.recipient, settings.debug_recipients):
            return State.CAPTURED, "email.debug is on"
        if email.expires_at <= now:
            return State.EXPIRED, endings.TOO_LATE
        if email.recipient_key in suppressed:
            return State.SUPPRESSED, suppressed[email.recipient_key]
        if email.id in superseded:
            return State.SUPERSEDED, endings.superseded_by(superseded[email.id])
        if not email.has_body:
            return State.FAILED, "its bodies were erased"
        return None

    def _ready_email(self, email: OutboxEmail, kind: Kind) -> ReadyEmail | str:
        """The email prepared for the handover, or the reason why it cannot be."""
        tag = self.tags.of(email.id)
        try:
            message = message_bytes(email, tag_header(self.settings.events, tag))
            envelope = Envelope(
                addresses.ascii_domain(email.envelope_sender.replace(TAG, tag)),
                addresses.ascii_domain(email.recipient),
                len(message),
            )
        except addresses.BadAddress as error:
            return str(error)
        except Exception as error:
            log.exception("email cannot be written as a message: email=%d", email.id)
            return f"cannot be written as a message: {type(error).__name__}"
        return ReadyEmail(email, kind, envelope, message)


def _end(
    session: Session, email: OutboxEmail, kind: Kind | None, state: State, reason: str
) -> None:
    erase = (kind is None or kind.carries_secret) and state is not State.CAPTURED
    endings.end(session, email, state, reason, erase=erase)
    log.warning(
        "email not sent: email=%d kind=%s state=%s%s",
        email.id,
        email.kind,
        state,
        email.request_in_log,
    )
