"""Maintenance: what a worker does beside its connections to the relay.

The maintenance thread keeps the worker's proof of life, releases the leases of dead workers, runs
the expiry tasks, composes emails again whose template was broken, and waits for PostgreSQL's
notifications. The heartbeat thread renews leases.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import Database
from app.database.errors import DatabaseBusy, describe
from app.mail.delivery.expiry import Expiry
from app.mail.delivery.handover import RelayConnection
from app.mail.delivery.liveness import Liveness, liveness_for
from app.mail.kinds import Kinds
from app.mail.metrics import ATTEMPTS, EMAILS
from app.mail.outbox import claims, outcomes
from app.mail.outbox.outcomes import Settlement
from app.mail.outbox.tables import State
from app.mail.outbox.wakeup import Wakeup
from app.mail.recomposing import Recomposing
from app.mail.smtp.replies import Outcome, Phase, Verdict

log = logging.getLogger(__name__)

MAINTENANCE_SECONDS = 1.0
"""How often the maintenance thread looks for dead workers."""
HEARTBEAT_SECONDS = claims.LEASE.total_seconds() / 3
WITHOUT_VERDICT = Verdict(
    Outcome.IN_DOUBT, Phase.VERDICT, "its worker died when the final dot may have been out"
)
"""What an email gets whose worker lost its lease in ``sending``."""


@dataclass(slots=True)
class Maintenance:
    """The maintenance of one worker. ``connections`` are the worker's connections at any time, and
    ``stopping`` is set when the worker is to end.
    """

    database: Database
    kinds: Kinds
    clock: Callable[[], datetime]
    wakeup: Wakeup
    connections: Collection[RelayConnection]
    stopping: threading.Event
    expiry: Expiry
    recomposing: Recomposing
    liveness: Liveness | None = None
    """The worker's proof of life, once ``open_liveness`` has made it."""
    _logged_errors: set[str] = field(default_factory=set)

    def open_liveness(self) -> Liveness:
        """The worker's proof of life. The first call takes the lock."""
        if self.liveness is None:
            self.liveness = liveness_for(self.database.engine)
        return self.liveness

    def close(self) -> None:
        """Give the worker's lock back."""
        if self.liveness is not None:
            self.liveness.close()
            self.liveness = None

    def run(self) -> None:
        """The maintenance thread. It ends when ``stopping`` is set."""
        while not self.stopping.is_set():
            try:
                if self.liveness is None:
                    log.info("worker started: worker=%s", self.open_liveness().worker)
                    # The connections' threads wait for the proof of life, which exists now.
                    self.wakeup.now()
                liveness = self.open_liveness()
                self.release_ended_leases(liveness)
                if self._logged_errors:
                    log.info("delivery works again")
                    self._logged_errors.clear()
                self.expiry.run_due_tasks()
                self.recomposing.run(self.clock())
                until = time.monotonic() + MAINTENANCE_SECONDS
                while not self.stopping.is_set() and (left := until - time.monotonic()) > 0:
                    if liveness.watch(left, self.stopping):
                        self.wakeup.now()
            except Exception as error:
                self.log_once(error)
                self.stopping.wait(MAINTENANCE_SECONDS)

    def log_once(self, error: Exception) -> None:
        """Log an error of the database. The same error, from whichever thread, is logged again only
        after the database was available in between.
        """
        description = describe(error)
        if description not in self._logged_errors:
            self._logged_errors.add(description)
            is_ours = not isinstance(error, SQLAlchemyError) and description == type(error).__name__
            if is_ours:
                log.error("delivery failed: error=%s", description, exc_info=error)
            else:
                log.error("delivery waits for the database: error=%s", description)

    def in_progress(self) -> set[int]:
        """The ids of the emails in progress on all connections of this worker."""
        return set().union(*(connection.in_progress for connection in list(self.connections)))

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """During the block, renew the leases of the emails in progress, however slow the relay."""
        ended = threading.Event()
        thread = threading.Thread(
            target=self._renew_leases_until, args=(ended,), name="heartbeat", daemon=True
        )
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(5)

    def _renew_leases_until(self, ended: threading.Event) -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                self._renew_leases()
            except (SQLAlchemyError, DatabaseBusy) as error:
                self.log_once(error)

    def _renew_leases(self) -> None:
        leases = [
            (connection.worker, connection.in_progress)
            for connection in list(self.connections)
            if connection.in_progress
        ]
        if leases:
            with self.database.transaction(write=True, asynchronous_commit=True) as session:
                for worker, ids in leases:
                    claims.renew(session, worker, self.clock(), ids)

    def release_ended_leases(self, liveness: Liveness) -> None:
        """Release the leases of dead workers, and leases that have ended. The emails that such a
        worker was sending are in doubt.
        """
        now = self.clock()
        with self.database.transaction(write=False) as session:
            holders = claims.lease_holders(session)
        for worker, first_ends in holders:
            if worker == liveness.worker and first_ends >= now:
                continue
            with self.database.transaction(write=True, asynchronous_commit=True) as session:
                dead = liveness.is_dead(session, worker)
                if not dead and first_ends >= now:
                    continue
                in_doubt = claims.release_leases(
                    session, worker, now, dead=dead, in_progress=self.in_progress()
                )
                settlements = [
                    outcomes.settlement_of(email, self.kinds.get(email.kind), WITHOUT_VERDICT, now)
                    for email in in_doubt
                ]
                for settlement in settlements:
                    outcomes.settle(session.connection(), settlement, worker)
            log.warning(
                "leases released: worker=%s cause=%s emails_in_doubt=%d",
                worker,
                "worker_dead" if dead else "lease_ended",
                len(in_doubt),
            )
            for settlement in settlements:
                _log_in_doubt(settlement, worker)
            self.wakeup.now()


def _log_in_doubt(settlement: Settlement, worker: str) -> None:
    """Log and count the attempt of a worker that cannot do so any more."""
    email, state = settlement.email, outcomes.state_after(settlement)
    ATTEMPTS.labels(email.kind, settlement.verdict.outcome).inc()
    # An email that goes out again was counted as queued when it was written.
    if state is not State.QUEUED:
        EMAILS.labels(email.kind, state).inc()
    log.warning(
        "email in doubt: email=%d kind=%s worker=%s%s",
        email.id,
        email.kind,
        worker,
        email.request_in_log,
    )
