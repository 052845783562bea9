"""The handover of a batch: one email after another goes to the relay, and each verdict is settled.

One transaction settles the verdict on an email and commits ``sending`` for the next one, just
before that one's body goes out. So after a crash at most one email for each connection is in doubt.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import Database, HeldConnection
from app.database.errors import DatabaseBusy, describe
from app.mail.delivery import relay
from app.mail.delivery.batch import ReadyEmail
from app.mail.delivery.liveness import LOCKED, Liveness
from app.mail.delivery.relay import RelayProblem
from app.mail.events import suppression
from app.mail.metrics import ATTEMPTS, DELIVERY_SECONDS, EMAILS
from app.mail.outbox import claims, outcomes, refusals
from app.mail.outbox.outcomes import Settlement, settlement_of
from app.mail.outbox.retry_schedule import RETRY_DELAYS
from app.mail.outbox.tables import OutboxEmail, State
from app.mail.smtp.mailer import Mailer, RelayUnavailable
from app.mail.smtp.replies import Outcome, Phase, Verdict

log = logging.getLogger(__name__)

LINGER_SECONDS = 0.2
"""How long a settlement waits for the next email, so that one commit writes both."""
DATABASE_RETRY_SECONDS = 0.5
STOP_SECONDS = 30.0
"""How long a worker that stops still tries to write the verdicts that it knows."""


@dataclass(slots=True, eq=False)
class RelayConnection:
    """One thread's connection to the relay, and the ids of the emails in progress on it.

    ``worker`` is the name under which these emails were claimed: a worker can change its name.
    """

    mailer: Mailer
    worker: str = ""
    in_progress: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Handover:
    """The handover of one batch over one connection. ``relay_failures`` is what ``relay.may_try``
    returned.
    """

    database: Database
    mailer: Mailer
    worker: str
    relay_name: str
    relay_failures: int
    clock: Callable[[], datetime]
    stopping: threading.Event
    liveness: Liveness
    _pending: Settlement | None = None
    """The settlement that is not committed yet."""
    _unconfirmed: OutboxEmail | None = None
    """The email for which the commit of ``sending`` got no reply. Its body did not go out."""
    _reached: bool = False
    """Whether a connection to the relay was ready, so the relay needs no rest any more."""

    def hand_over(self, emails: list[ReadyEmail]) -> None:
        """Try each email once. Stop early when the relay has to rest or the worker stops, and hand
        the remaining emails back.
        """
        # A pooler would leave a prepared statement on another client's connection. A worker that
        # holds its lock has no pooler before it, so only such a worker prepares statements.
        prepares = self.worker.startswith(LOCKED)
        with self.database.held_connection(prepares=prepares) as held:
            problem: RelayProblem | None = None
            try:
                problem = self._hand_over_each(held, emails)
            except BaseException:
                # The SMTP dialogue may be at any point, so the connection cannot be used again.
                self.mailer.close()
                raise
            finally:
                self.mailer.withdraw()
                self._persist(
                    held, lambda connection: self._close_batch(connection, emails, problem)
                )

    def _hand_over_each(
        self, held: HeldConnection, emails: list[ReadyEmail]
    ) -> RelayProblem | None:
        """Returns why the relay has to rest, or None."""
        for number, ready in enumerate(emails):
            if self._must_stop():
                break
            if self._pending is not None and not self.mailer.has_reply(LINGER_SECONDS):
                self._persist(held, self._write_pending)
            try:
                self.mailer.connect()
            except RelayUnavailable as unavailable:
                if self.stopping.is_set():
                    # ``stop`` may have aborted the connection, so this is no sign of a problem.
                    break
                return RelayProblem(str(unavailable), unavailable.is_quota)
            self._reached = True
            fresh, started = self.mailer.is_fresh, time.monotonic()
            verdict = self.mailer.offer(ready.envelope)
            if verdict is None:
                begun = self._begin(held, ready.email)
                if not begun:
                    # The relay waits for a body that must not go out.
                    self.mailer.close()
                    if begun is None:
                        break
                    continue
                following = emails[number + 1].envelope if number + 1 < len(emails) else None
                verdict = self.mailer.transmit(ready.message, following)
            elif self._pending is not None:
                self._persist(held, self._write_pending)
            if verdict.is_unfamiliar:
                verdict = self._compare_with_earlier(held, ready.email, verdict)
            self._pending = settlement_of(
                ready.email,
                ready.kind,
                verdict,
                self.clock(),
                duration_ms=round((time.monotonic() - started) * 1000),
                # A relay may close a kept connection, and a worker that stops aborts its own.
                # Neither says anything about this email.
                blameless=self.stopping.is_set() or not (fresh or verdict.phase is Phase.BODY),
            )
            if suppression.is_hard_refusal(verdict):
                # ``_begin`` settles in a single statement, which cannot suppress the address too.
                self._persist(held, self._write_pending)
            if verdict.outcome.rests_relay:
                is_quota = verdict.outcome is Outcome.QUOTA
                return RelayProblem(f"{verdict.phase}: {verdict.reply}", is_quota)
        return None

    def _compare_with_earlier(
        self, held: HeldConnection, email: OutboxEmail, verdict: Verdict
    ) -> Verdict:
        """The verdict on a refusal in unfamiliar words: earlier ones may show it is about us."""
        try:
            with held.transaction() as connection:
                is_about_us = refusals.is_about_us(connection, email, verdict, self.clock())
        except (SQLAlchemyError, DatabaseBusy) as error:
            log.error("refusals not compared: email=%d error=%s", email.id, describe(error))
            return verdict
        return replace(verdict, outcome=Outcome.ABOUT_US) if is_about_us else verdict

    def _must_stop(self) -> bool:
        return self.stopping.is_set() or not self.liveness.is_held(self.worker)

    def _begin(self, held: HeldConnection, email: OutboxEmail) -> bool | None:
        """Commit ``sending``, together with the pending settlement. False: this email must not go
        out. None: no email can go out now.
        """
        if self._must_stop():
            return None
        try:
            worker, now = self.worker, self.clock()
            if self._pending is None:
                with held.transaction() as connection:
                    begun = outcomes.begin_sending(connection, email, worker, now)
            else:
                with held.statement() as connection:
                    settled, begun = outcomes.settle_and_begin(
                        connection, self._pending, email, worker, now
                    )
                if not settled:
                    with held.transaction() as connection:
                        self._write_without_lease(connection, self._pending)
                _log_attempt(self._pending)
        except (SQLAlchemyError, DatabaseBusy) as error:
            log.error("email waits for the database: email=%d error=%s", email.id, describe(error))
            self._unconfirmed = email
            return None
        self._pending = None
        return begun

    def _close_batch(
        self, connection: Connection, emails: list[ReadyEmail], problem: RelayProblem | None
    ) -> None:
        self._delay_email_that_rests_the_relay_again(connection)
        self._write_pending(connection)
        if self._unconfirmed is not None:
            outcomes.not_begun(connection, self._unconfirmed, self.worker)
        reason = relay.record(
            connection,
            self.relay_name,
            self.clock(),
            seen=self.relay_failures,
            reached=self._reached,
            problem=problem,
        )
        ids = [ready.email.id for ready in emails]
        claims.hand_back(connection, self.worker, ids, reason)

    def _delay_email_that_rests_the_relay_again(self, connection: Connection) -> None:
        """Let other emails go first for a minute when the relay refuses us at the same email twice
        in a row. Its cause may be this email, which would otherwise stop the whole queue.
        """
        pending = self._pending
        if pending is None or not pending.verdict.outcome.rests_relay:
            return
        last_outcome = connection.scalar(outcomes.last_outcome(pending.email.id))
        if last_outcome in (Outcome.ABOUT_US, Outcome.QUOTA):
            wait = RETRY_DELAYS[0]
            columns = outcomes.postponed(pending.email, pending.verdict, pending.at, wait)
            self._pending = replace(pending, columns=columns)

    def _persist(self, held: HeldConnection, write: Callable[[Connection], None]) -> None:
        """Commit what ``write`` does, and retry while the database is away. A worker that stops
        gives up after ``STOP_SECONDS``, because a verdict that is not written doubles its email.
        """
        logged, deadline = "", math.inf
        while True:
            try:
                with held.transaction() as connection:
                    write(connection)
            except (SQLAlchemyError, DatabaseBusy) as error:
                if self.stopping.is_set():
                    deadline = min(deadline, time.monotonic() + STOP_SECONDS)
                    if time.monotonic() >= deadline:
                        raise
                    time.sleep(DATABASE_RETRY_SECONDS)
                else:
                    self.stopping.wait(DATABASE_RETRY_SECONDS)
                if logged != (logged := describe(error)):
                    log.error("outcome waits for the database: error=%s", logged)
            else:
                if self._pending is not None:
                    _log_attempt(self._pending)
                    self._pending = None
                return

    def _write_pending(self, connection: Connection) -> None:
        pending = self._pending
        if pending is None:
            return
        if not outcomes.settle(connection, pending, self.worker):
            self._write_without_lease(connection, pending)
        elif suppression.is_hard_refusal(pending.verdict):
            suppression.after_refusal(connection, pending.email, pending.verdict, pending.at)

    def _write_without_lease(self, connection: Connection, settlement: Settlement) -> None:
        """Settle a verdict on an email that this worker no longer leases. Only a 2xx counts."""
        is_accepted = settlement.verdict.outcome is Outcome.ACCEPTED
        settled = is_accepted and outcomes.settle_accepted_late(connection, settlement)
        # An unconfirmed commit may have settled the email and so released its lease.
        if not settled and self._unconfirmed is None:
            email = settlement.email
            log.warning(
                "verdict not saved, the lease had ended: email=%d%s", email.id, email.request_in_log
            )


# Looking a counter up by its labels takes longer than counting.
_attempts, _emails = cache(ATTEMPTS.labels), cache(EMAILS.labels)


def _log_attempt(settlement: Settlement) -> None:
    """Log and count the attempt, without the relay's reply, which may hold an address. The reply is
    in the attempt's row.
    """
    email, verdict = settlement.email, settlement.verdict
    _attempts(email.kind, verdict.outcome).inc()
    # An email that waits for its next try was counted as queued when it was written.
    if (state := settlement.columns["state"]) is not State.QUEUED:
        _emails(email.kind, state).inc()
    if verdict.outcome is Outcome.ACCEPTED:
        DELIVERY_SECONDS.observe((settlement.at - email.created_at).total_seconds())
    log.log(
        logging.INFO if verdict.outcome is Outcome.ACCEPTED else logging.WARNING,
        "delivery attempt: email=%d kind=%s phase=%s code=%s outcome=%s%s",
        email.id,
        email.kind,
        verdict.phase,
        verdict.code,
        verdict.outcome,
        email.request_in_log,
    )
