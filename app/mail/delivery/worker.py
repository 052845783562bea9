"""Delivery: due rows of the outbox go to the relay, and its verdicts go back into the rows.

One worker has a few connections to the relay, each in a thread of its own, and one keeper that
renews leases, sees to the rows of workers that died, and listens for calls. Everything that two of
them could do at once is decided by the database.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Self

from pyramid.registry import Registry
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database, DatabaseBusy, in_words
from app.mail import addresses
from app.mail.delivery import relay
from app.mail.delivery.handover import Handover, Parcel
from app.mail.delivery.liveness import Liveness, liveness_for
from app.mail.delivery.retention import Housekeeping
from app.mail.kinds import InDoubt, Kind, Kinds
from app.mail.outbox import claims, endings, outcomes
from app.mail.outbox.outcomes import Attempt
from app.mail.outbox.tables import OutboxEmail, State, SuppressedAddress
from app.mail.outbox.wakeup import Wakeup
from app.mail.smtp.mailer import Envelope, Mailer, Outcome, Phase
from app.mail.smtp.mime import message_bytes
from app.settings import Email

log = logging.getLogger(__name__)

BATCH = 20
"""How many emails a connection leases at once: enough to chain them, few enough to share."""
POLL_SECONDS = 1.0
"""How often an idle connection looks by itself, for what nobody called about."""
KEEP_SECONDS = 1.0
"""How often the keeper looks for workers that died."""
HEARTBEAT_SECONDS = claims.LEASE.total_seconds() / 3
IDLE_SECONDS = 30.0
"""An idle connection to the relay is closed after this, before the relay does it."""


class Delivery:
    """One worker: ``start`` and ``stop`` it, or call ``run_once`` to deliver what is due now in the
    caller's thread.
    """

    def __init__(
        self,
        database: Database,
        settings: Email,
        kinds: Kinds,
        *,
        clock: Callable[[], datetime],
        wakeup: Wakeup,
        new_mailer: Callable[[], Mailer] | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._kinds = kinds
        self._clock = clock
        self._wakeup = wakeup
        self._new_mailer = new_mailer or (lambda: Mailer.from_settings(settings))
        self._relay = relay.name_of(settings)
        self._housekeeping = Housekeeping(database, settings, kinds, clock)
        self._liveness: Liveness | None = None
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._heart = ExitStack()
        self._told: set[str] = set()
        self._connections: set[_Connection] = set()

    @classmethod
    def from_registry(cls, registry: Registry) -> Self:
        """The worker of a configured application."""
        return cls(
            registry.database,
            registry.pillarbox.email,
            registry.email_kinds,
            clock=lambda: registry.clock(),
            wakeup=registry.email_wakeup,
        )

    def start(self) -> None:
        """Start the keeper, the connections and their heartbeat."""
        self._stopping.clear()
        self._heart.enter_context(self._heartbeat())
        names = ["keeper", *(f"connection-{n + 1}" for n in range(self._settings.connections))]
        targets = [self._keep, *[self._serve] * self._settings.connections]
        self._threads = [
            threading.Thread(target=target, name=name, daemon=True)
            for target, name in zip(targets, names, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self, seconds: float = 30.0) -> None:
        """Finish what is under way within ``seconds``, hand the rest back, and end.

        What still waits for the relay's verdict then is in doubt.
        """
        self._stopping.set()
        self._wakeup.now()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        for connection in list(self._connections):
            connection.abort()
        for thread in self._threads:
            thread.join(5)
        self._threads = []
        self._heart.close()
        if self._liveness is not None:
            self._liveness.close()
            self._liveness = None

    def run_once(self, only: int | None = None) -> int:
        """Deliver everything that is due now, or ``only`` the email of that id. Returns how many
        emails were taken from the queue.
        """
        self._stopping.clear()
        self._take_over(self._alive())
        taken = 0
        with self._connection() as connection, self._heartbeat():
            # What a stop hands back is due at once again.
            while not self._stopping.is_set() and (count := self._deliver_batch(connection, only)):
                taken += count
        return taken

    def _alive(self) -> Liveness:
        if self._liveness is None:
            self._liveness = liveness_for(self._database.engine)
        return self._liveness

    # --- Connections ----------------------------------------------------------

    def _serve(self) -> None:
        with self._connection() as connection:
            self._serve_on(connection)

    def _serve_on(self, connection: "_Connection") -> None:
        idle_since = time.monotonic()
        while not self._stopping.is_set():
            seen = self._wakeup.calls
            try:
                busy = self._liveness is not None and self._deliver_batch(connection) > 0
            except (SQLAlchemyError, DatabaseBusy) as error:
                self._tell(error)
                busy = False
            except Exception:
                log.exception("delivery failed")
                busy = False
            if busy:
                idle_since = time.monotonic()
                continue
            if time.monotonic() - idle_since > IDLE_SECONDS:
                connection.quit()
            self._wakeup.wait(seen, POLL_SECONDS)

    @contextmanager
    def _connection(self) -> Iterator["_Connection"]:
        connection = _Connection(self._new_mailer)
        self._connections.add(connection)
        try:
            yield connection
        finally:
            connection.quit()
            self._connections.discard(connection)

    def _deliver_batch(self, connection: "_Connection", only: int | None = None) -> int:
        """Claim a batch and hand it over. Returns how many emails were claimed."""
        liveness = self._alive()
        worker = liveness.worker
        if not liveness.is_held(worker):
            return 0
        with self._database.transaction(write=False) as session:
            now = self._clock()
            if not claims.has_due(session, now) or relay.is_blocked(session, self._relay, now):
                return 0
        with self._database.transaction(write=True, hasty=True) as session:
            now = self._clock()
            claimed = claims.claim(session, worker, now, BATCH, only, in_hand=self._in_hand())
            passed = self._guarded(session, claimed, now)
            ids = {email.id for email, _ in passed}
            failures = relay.may_try(session, self._relay, now) if passed else None
            if passed and failures is None:
                claims.hand_back(session.connection(), worker, ids)
                return 0
        if failures is not None:
            connection.worker, connection.in_hand = worker, ids
            try:
                Handover(
                    self._database,
                    connection.mailer,
                    worker,
                    relay_name=self._relay,
                    relay_failures=failures,
                    clock=self._clock,
                    stopping=self._stopping,
                    may_send=lambda: liveness.is_held(worker),
                ).hand_over(self._parcels(passed))
            finally:
                connection.in_hand = set()
        return len(claimed)

    # --- Guards ---------------------------------------------------------------

    def _guarded(
        self, session: Session, claimed: list[OutboxEmail], now: datetime
    ) -> list[tuple[OutboxEmail, Kind]]:
        """The emails that may go out, with their kinds. The others end here, with a reason."""
        if not claimed:
            return []
        suppressed = self._suppressed(session, claimed)
        superseded = self._superseded(session, claimed)
        passed = []
        for email in claimed:
            kind = self._kinds.get(email.kind)
            verdict = self._guard(email, suppressed, superseded, now)
            if kind is None:
                verdict = State.FAILED, f"there is no kind of email named {email.kind!r} any more"
            elif verdict is None:
                passed.append((email, kind))
                continue
            self._end(session, email, kind, *verdict)
        return passed

    def _parcels(self, passed: list[tuple[OutboxEmail, Kind]]) -> list[Parcel]:
        """The emails ready for the relay; what cannot be written as a message ends here. Not within
        the claim's transaction, where others would wait for it.
        """
        parcels = []
        for email, kind in passed:
            parcel = _parcel(email, kind)
            if isinstance(parcel, Parcel):
                parcels.append(parcel)
                continue
            with self._database.transaction(write=True, hasty=True) as session:
                self._end(session, email, kind, State.FAILED, parcel)
        return parcels

    def _end(
        self, session: Session, email: OutboxEmail, kind: Kind | None, state: State, reason: str
    ) -> None:
        erase = (kind is None or kind.carries_secret) and state is not State.CAPTURED
        endings.end(session, email, state, reason, erase=erase)
        log.warning("email %d (%s) is %s", email.id, email.kind, state)

    def _suppressed(self, session: Session, claimed: list[OutboxEmail]) -> dict[str, str]:
        rows = session.execute(
            select(SuppressedAddress.address, SuppressedAddress.reason).where(
                SuppressedAddress.address.in_([email.recipient_key for email in claimed])
            )
        )
        return dict(rows.all())

    def _superseded(self, session: Session, claimed: list[OutboxEmail]) -> dict[int, int]:
        kinds = {email.id: self._kinds.get(email.kind) for email in claimed}
        ids = [number for number, kind in kinds.items() if kind is not None and kind.supersedes]
        return endings.superseded(session, ids) if ids else {}

    def _guard(
        self,
        email: OutboxEmail,
        suppressed: dict[str, str],
        superseded: dict[int, int],
        now: datetime,
    ) -> tuple[State, str] | None:
        settings = self._settings
        if settings.debug and not addresses.matches(email.recipient, settings.debug_recipients):
            return State.CAPTURED, "email.debug is on"
        if email.expires_at <= now:
            return State.EXPIRED, endings.TOO_LATE
        if email.recipient_key in suppressed:
            return State.SUPPRESSED, suppressed[email.recipient_key]
        if email.id in superseded:
            return State.SUPERSEDED, endings.newer_reason(superseded[email.id])
        if not email.has_body:
            return State.FAILED, "its bodies were erased"
        return None

    # --- The keeper -----------------------------------------------------------

    def _keep(self) -> None:
        while not self._stopping.is_set():
            try:
                if self._liveness is None:
                    log.info("this worker is %s", self._alive().worker)
                    # The connections were waiting for it.
                    self._wakeup.now()
                liveness = self._alive()
                self._take_over(liveness)
                if self._told:
                    log.info("the database is back")
                    self._told.clear()
                self._housekeeping.do_what_is_due()
                until = time.monotonic() + KEEP_SECONDS
                while not self._stopping.is_set() and (left := until - time.monotonic()) > 0:
                    if liveness.watch(left, self._stopping):
                        self._wakeup.now()
            except Exception as error:
                self._tell(error)
                self._stopping.wait(KEEP_SECONDS)

    def _tell(self, error: Exception) -> None:
        """Say once what is wrong with the database, whichever thread finds it, and then no more
        until it is back.
        """
        words = in_words(error)
        if words not in self._told:
            self._told.add(words)
            ours = not isinstance(error, SQLAlchemyError) and words == type(error).__name__
            log.error("delivery waits for the database: %s", words, exc_info=ours)

    @contextmanager
    def _heartbeat(self) -> Iterator[None]:
        """Renew the leases of what is in hand, however long the relay takes within the block."""
        ended = threading.Event()
        thread = threading.Thread(target=self._beat, args=(ended,), name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join(5)

    def _beat(self, ended: threading.Event) -> None:
        while not ended.wait(HEARTBEAT_SECONDS):
            try:
                self._renew()
            except (SQLAlchemyError, DatabaseBusy) as error:
                self._tell(error)

    def _renew(self) -> None:
        # Under the names that the emails were claimed with.
        in_hand = [(each.worker, each.in_hand) for each in list(self._connections) if each.in_hand]
        if in_hand:
            with self._database.transaction(write=True, hasty=True) as session:
                for worker, ids in in_hand:
                    claims.renew(session, worker, self._clock(), ids)

    def _take_over(self, liveness: Liveness) -> None:
        """Free the rows of workers that died, and decide about what they were sending."""
        now = self._clock()
        with self._database.transaction(write=False) as session:
            holders = claims.lease_holders(session)
        for worker, first_ends in holders:
            if worker == liveness.worker and first_ends >= now:
                continue
            with self._database.transaction(write=True, hasty=True) as session:
                dead = liveness.is_dead(session, worker)
                if not dead and first_ends >= now:
                    continue
                doubtful = claims.release_leases(
                    session, worker, now, dead=dead, in_hand=self._in_hand()
                )
                for email in doubtful:
                    self._doubt(session, email, worker, now)
            log.warning(
                "worker %s %s; in doubt: %s",
                worker,
                "is dead" if dead else "let leases run out",
                ", ".join(f"email {email.id} ({email.kind})" for email in doubtful) or "no email",
            )
            self._wakeup.now()

    def _in_hand(self) -> set[int]:
        return set().union(*(connection.in_hand for connection in list(self._connections)))

    def _doubt(self, session: Session, email: OutboxEmail, worker: str, now: datetime) -> None:
        kind = self._kinds.get(email.kind)
        attempt = Attempt(
            Outcome.IN_DOUBT,
            Phase.VERDICT,
            "its worker died when the final dot may have been out",
        )
        doubt = outcomes.in_doubt(
            email,
            now,
            attempt,
            resend=kind is not None and kind.in_doubt is InDoubt.RESEND,
            erase=kind is None or kind.carries_secret,
        )
        outcomes.settle(session.connection(), doubt, worker)


class _Connection:
    """One thread's connection to the relay, opened when there is something to send, and what the
    thread has in hand, with the worker's name at that time.
    """

    def __init__(self, new_mailer: Callable[[], Mailer]) -> None:
        self._new_mailer = new_mailer
        self._mailer: Mailer | None = None
        self.worker = ""
        self.in_hand: set[int] = set()

    @property
    def mailer(self) -> Mailer:
        if self._mailer is None:
            self._mailer = self._new_mailer()
        return self._mailer

    def abort(self) -> None:
        if self._mailer is not None:
            self._mailer.abort()

    def quit(self) -> None:
        if self._mailer is not None:
            self._mailer.quit()


def _parcel(email: OutboxEmail, kind: Kind) -> Parcel | str:
    """The email ready for the relay, or why it cannot be."""
    try:
        message = message_bytes(email)
        envelope = Envelope(
            addresses.ascii_domain(email.envelope_sender),
            addresses.ascii_domain(email.recipient),
            len(message),
        )
    except addresses.BadAddress as error:
        return str(error)
    except Exception as error:
        log.exception("email %d cannot be written as a message", email.id)
        return f"cannot be written as a message: {type(error).__name__}"
    return Parcel(email, kind, envelope, message)
