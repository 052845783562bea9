"""The handover of a batch: one email after the other to the relay, and each verdict back into its
row.

``sending`` is committed just before an email's body goes out, in one transaction with the verdict
on the email before it. So after a kill at most this one email per connection is in doubt.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database, DatabaseBusy, HeldConnection, in_words
from app.mail.delivery import relay
from app.mail.delivery.liveness import LOCKED
from app.mail.kinds import InDoubt, Kind
from app.mail.outbox import claims, outcomes
from app.mail.outbox.outcomes import Attempt, Settlement
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mailer import Envelope, Mailer, Outcome, Phase, RelayUnavailable, Verdict

log = logging.getLogger(__name__)

LINGER_SECONDS = 0.2
"""How long a verdict may wait to be committed together with the start of the next email."""
DATABASE_RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Parcel:
    """An email that passed the guards, as the relay will get it."""

    email: OutboxEmail
    kind: Kind
    envelope: Envelope
    message: bytes


class Handover:
    """What one connection does with its batches. ``may_send`` says whether the worker's proof of
    life still stands.
    """

    def __init__(
        self,
        database: Database,
        mailer: Mailer,
        worker: str,
        *,
        relay_name: str,
        relay_failures: int,
        clock: Callable[[], datetime],
        stopping: threading.Event,
        may_send: Callable[[], bool],
    ) -> None:
        self._database = database
        self._mailer = mailer
        self._worker = worker
        self._relay, self._relay_failures = relay_name, relay_failures
        self._clock = clock
        self._stopping = stopping
        self._may_send = may_send
        self._pending: Settlement | None = None
        """The verdict that is known and not yet committed."""
        self._unconfirmed: OutboxEmail | None = None
        """The email whose ``sending`` may have been committed, while its body did not go out."""
        self._reached = False
        """Whether the relay let us in, so that it needs no rest any more."""

    def hand_over(self, parcels: list[Parcel]) -> None:
        """Try every parcel once, unless the relay needs a rest or the worker stops. What was not
        begun is handed back.
        """
        # A worker that found a pooler before PostgreSQL goes by its leases.
        prepares = self._worker.startswith(LOCKED)
        with self._database.held_connection(prepares=prepares) as held:
            trouble: _Trouble | None = None
            try:
                trouble = self._chain(held, parcels)
            except BaseException:
                # Nobody knows where in the dialogue this happened.
                self._mailer.close()
                raise
            finally:
                self._mailer.withdraw()
                self._persist(
                    held, lambda connection: self._close_batch(connection, parcels, trouble)
                )

    def _chain(self, held: HeldConnection, parcels: list[Parcel]) -> "_Trouble | None":
        """Returns why the relay needs a rest, if it does."""
        for number, parcel in enumerate(parcels):
            if self._stopping.is_set() or not self._may_send():
                break
            if self._pending is not None and not self._mailer.has_reply(LINGER_SECONDS):
                self._persist(held, self._write_pending)
            try:
                self._mailer.connect()
            except RelayUnavailable as unavailable:
                if self._stopping.is_set():
                    # Our own stop may have broken the connection: it says nothing about the relay.
                    break
                return _Trouble(str(unavailable), unavailable.without_words)
            self._reached = True
            fresh, started = self._mailer.is_fresh, time.monotonic()
            verdict = self._mailer.offer(parcel.envelope)
            if verdict is None:
                begun = self._begin(held, parcel.email)
                if not begun:
                    # The relay waits for a body that must not go out any more.
                    self._mailer.close()
                    if begun is None:
                        break
                    continue
                following = parcels[number + 1].envelope if number + 1 < len(parcels) else None
                verdict = self._mailer.transmit(parcel.message, following)
            elif self._pending is not None:
                self._persist(held, self._write_pending)
            milliseconds = round((time.monotonic() - started) * 1000)
            self._pending = self._settlement(parcel, verdict, fresh, milliseconds)
            if verdict.outcome is Outcome.SLOWED:
                return _Trouble(
                    f"{verdict.phase}: {verdict.reply}", f"{verdict.phase}: {verdict.code}"
                )
        return None

    def _begin(self, held: HeldConnection, email: OutboxEmail) -> bool | None:
        """Commit ``sending``, with the verdict on the email before it. False: it must not go out.
        None: nothing can go out now.
        """
        if self._stopping.is_set() or not self._may_send():
            return None
        try:
            worker, now = self._worker, self._clock()
            if self._pending is None:
                with held.transaction() as connection:
                    begun = outcomes.begin_sending(connection, email, worker, now)
            else:
                with held.statement() as connection:
                    settled, begun = outcomes.settle_and_begin(
                        connection, self._pending, email, worker, now
                    )
                if settled:
                    self._say(self._pending, settled)
                else:
                    with held.transaction() as connection:
                        self._write_late(connection, self._pending)
        except (SQLAlchemyError, DatabaseBusy) as error:
            log.error("email %d waits for the database: %s", email.id, in_words(error))
            self._unconfirmed = email
            return None
        self._pending = None
        return begun

    def _settlement(
        self, parcel: Parcel, verdict: Verdict, fresh: bool, milliseconds: int
    ) -> Settlement:
        """What a verdict makes of the email. ``fresh``: the connection had carried no message
        before.
        """
        email, erase, now = parcel.email, parcel.kind.carries_secret, self._clock()
        # A kept connection can end of old age, and a worker that stops breaks it: then a lost one
        # says nothing about this email, and a new one tries again at once.
        blameless = self._stopping.is_set() or not (fresh or verdict.phase is Phase.BODY)
        attempt = Attempt(
            outcome=verdict.outcome,
            phase=verdict.phase,
            reply=verdict.reply,
            code=verdict.code,
            enhanced_code=verdict.enhanced_code,
            duration_ms=milliseconds,
        )
        match verdict.outcome:
            case Outcome.ACCEPTED:
                return outcomes.accepted(email, now, attempt, erase=erase)
            case Outcome.REFUSED:
                return outcomes.refused(email, now, attempt, erase=erase)
            case Outcome.IN_DOUBT:
                resend = parcel.kind.in_doubt is InDoubt.RESEND
                return outcomes.in_doubt(email, now, attempt, resend=resend, erase=erase)
            case Outcome.SLOWED:
                return outcomes.postponed(email, now, attempt)
            case Outcome.LOST if blameless:
                return outcomes.postponed(email, now, attempt)
            case _:
                jitter = random.random()  # noqa: S311 (spreads retries, keeps no secret)
                return outcomes.deferred(email, now, attempt, jitter=jitter, erase=erase)

    def _close_batch(
        self, connection: Connection, parcels: list[Parcel], trouble: "_Trouble | None"
    ) -> None:
        self._give_way(connection)
        self._write_pending(connection)
        if self._unconfirmed is not None:
            outcomes.not_begun(connection, self._unconfirmed, self._worker)
        now, seen, reason = self._clock(), self._relay_failures, None
        if trouble is None:
            if not self._reached:
                relay.not_probed(connection, self._relay, now, seen)
            elif seen and relay.unblock(connection, self._relay, seen):
                log.info("the relay %s is back", self._relay)
        else:
            until = relay.block(connection, self._relay, now, trouble.words, seen)
            # The relay's words may hold an address, which belongs neither into the log nor into
            # the rows of other customers.
            log.error(
                "the relay %s rests until %s: %s",
                self._relay,
                until.isoformat(),
                trouble.without_words,
            )
            reason = f"waits for the relay: {trouble.without_words}"
        ids = [parcel.email.id for parcel in parcels]
        claims.hand_back(connection, self._worker, ids, reason)

    def _give_way(self, connection: Connection) -> None:
        """When the relay asks for a rest at the same email twice in a row, this may be about that
        one after all: others go first for a minute, so that it cannot stop the queue.
        """
        pending = self._pending
        if pending is None or pending.attempt.outcome != Outcome.SLOWED:
            return
        if outcomes.last_outcome(connection, pending.email) == Outcome.SLOWED:
            self._pending = outcomes.postponed(
                pending.email, pending.at, pending.attempt, wait=outcomes.RETRY_DELAYS[0]
            )

    def _persist(self, held: HeldConnection, write: Callable[[Connection], None]) -> None:
        """Write what must not be forgotten, however long the database is away; only a worker that
        stops gives up.
        """
        told = ""
        while True:
            try:
                with held.transaction() as connection:
                    write(connection)
            except (SQLAlchemyError, DatabaseBusy) as error:
                if self._stopping.wait(DATABASE_RETRY_SECONDS):
                    raise
                if told != (told := in_words(error)):
                    log.error("a verdict waits for the database: %s", told)
            else:
                self._pending = None
                return

    def _write_pending(self, connection: Connection) -> None:
        if self._pending is not None:
            if outcomes.settle(connection, self._pending, self._worker):
                self._say(self._pending, True)
            else:
                self._write_late(connection, self._pending)

    def _write_late(self, connection: Connection, settlement: Settlement) -> None:
        """A verdict on an email that this worker does not hold any more."""
        late = settlement.attempt.outcome == Outcome.ACCEPTED and outcomes.accepted_late(
            connection, settlement
        )
        # A commit that was not confirmed may have settled it before.
        self._say(settlement, late or self._unconfirmed is not None)

    def _say(self, settlement: Settlement, settled: bool) -> None:
        email, attempt = settlement.email, settlement.attempt
        level = logging.INFO if attempt.outcome == Outcome.ACCEPTED else logging.WARNING
        # The relay's words may hold an address; they stand in the attempt's row.
        log.log(
            level,
            "email %d (%s): %s at %s, code %s",
            email.id,
            email.kind,
            attempt.outcome,
            attempt.phase,
            attempt.code,
        )
        if not settled:
            log.warning("email %d was settled by another worker meanwhile", email.id)


@dataclass(frozen=True, slots=True)
class _Trouble:
    """Why the relay needs a rest, with the relay's own words and without them."""

    words: str
    without_words: str
