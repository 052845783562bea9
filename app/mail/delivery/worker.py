"""A worker: its threads, and how they start and stop.

Each connection to the relay has a thread that claims and hands over one batch after another. The
maintenance thread and the heartbeat serve all connections (see ``maintenance``). Threads and
workers decide through the database who handles which email.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime

from pyramid.registry import Registry
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import Database
from app.database.errors import DatabaseBusy
from app.mail.delivery import relay
from app.mail.delivery.batch import Batches
from app.mail.delivery.expiry import Expiry
from app.mail.delivery.handover import STOP_SECONDS, Handover, RelayConnection
from app.mail.delivery.maintenance import Maintenance
from app.mail.kinds import Kinds
from app.mail.outbox.wakeup import Wakeup
from app.mail.recomposing import Recomposing
from app.mail.smtp.mailer import Mailer
from app.settings.declarations import Email

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
"""How often an idle connection looks for due emails that no wake-up announced, such as retries."""
IDLE_SECONDS = 30.0
"""How long a connection to the relay may be idle. The worker closes it before the relay would."""


class Delivery:
    """One worker. ``start`` and ``stop`` run its threads. ``run_once`` delivers what is due now in
    the caller's thread.
    """

    def __init__(self, registry: Registry, new_mailer: Callable[[], Mailer] | None = None) -> None:
        settings: Email = registry.pillarbox.email
        database: Database = registry.database
        kinds: Kinds = registry.email_kinds

        def clock() -> datetime:
            now: datetime = registry.clock()
            return now

        self._database = database
        self._settings = settings
        self._clock = clock
        self._wakeup: Wakeup = registry.email_wakeup
        self._new_mailer = new_mailer or (lambda: Mailer(settings))
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._connections: set[RelayConnection] = set()
        self._batches = Batches(database, settings, kinds, clock, registry.email_tags)
        self._maintenance = Maintenance(
            database,
            kinds,
            clock,
            self._wakeup,
            self._connections,
            self._stopping,
            Expiry(database, settings, kinds, clock, registry.housekeeping),
            Recomposing(database, kinds, registry.email_composer, self._wakeup),
        )
        self._heartbeat = ExitStack()

    def start(self) -> None:
        """Start the heartbeat, the maintenance thread and one thread for each connection."""
        self._stopping.clear()
        self._heartbeat.enter_context(self._maintenance.heartbeat())
        count = self._settings.connections
        names = ["maintenance", *(f"connection-{n + 1}" for n in range(count))]
        targets = [self._maintenance.run, *[self._serve] * count]
        self._threads = []
        for target, name in zip(targets, names, strict=True):
            thread = threading.Thread(target=target, name=name, daemon=True)
            # A signal may end the server here, and ``stop`` joins only threads that have started.
            thread.start()
            self._threads.append(thread)

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Finish the emails that the relay has begun to take, hand the others back, and end.

        After ``seconds`` the connections are aborted. An email that still has no verdict then is
        in doubt.
        """
        self._stopping.set()
        self._wakeup.now()
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(deadline - time.monotonic(), 0))
        for connection in list(self._connections):
            connection.mailer.abort()
        for thread in self._threads:
            thread.join(5)
        self._threads = []
        self._heartbeat.close()
        self._maintenance.close()

    def run_once(self, only: int | None = None) -> int:
        """Deliver every email that is due now, or ``only`` the email with that id. Returns how many
        emails were claimed.
        """
        self._stopping.clear()
        self._maintenance.release_ended_leases(self._maintenance.open_liveness())
        claimed = 0
        with self._connection() as connection, self._maintenance.heartbeat():
            # A stop hands emails back, and these are due at once: without the first condition the
            # loop would claim them again.
            while not self._stopping.is_set() and (count := self._deliver_batch(connection, only)):
                claimed += count
        return claimed

    def _serve(self) -> None:
        """The thread of one connection."""
        with self._connection() as connection:
            idle_since = time.monotonic()
            while not self._stopping.is_set():
                seen = self._wakeup.calls
                if self._deliver_or_log(connection):
                    idle_since = time.monotonic()
                    continue
                if time.monotonic() - idle_since > IDLE_SECONDS:
                    connection.mailer.quit()
                self._wakeup.wait(seen, POLL_SECONDS)

    @contextmanager
    def _connection(self) -> Iterator[RelayConnection]:
        connection = RelayConnection(self._new_mailer())
        self._connections.add(connection)
        try:
            yield connection
        finally:
            connection.mailer.quit()
            self._connections.discard(connection)

    def _deliver_or_log(self, connection: RelayConnection) -> bool:
        """Deliver one batch. False when there was none, or when an error was logged."""
        try:
            # The maintenance thread opens the liveness.
            return self._maintenance.liveness is not None and self._deliver_batch(connection) > 0
        except (SQLAlchemyError, DatabaseBusy) as error:
            self._maintenance.log_once(error)
        except Exception:
            log.exception("delivery failed")
        return False

    def _deliver_batch(self, connection: RelayConnection, only: int | None = None) -> int:
        """Claim a batch and hand it over. Returns how many emails were claimed."""
        liveness = self._maintenance.open_liveness()
        worker = liveness.worker
        if not liveness.is_held(worker):
            return 0
        batch = self._batches.claim(worker, self._maintenance.in_progress, only)
        if batch.passed:
            connection.worker = worker
            connection.in_progress = {email.id for email, _ in batch.passed}
            try:
                Handover(
                    self._database,
                    connection.mailer,
                    worker,
                    relay.name_of(self._settings),
                    batch.relay_failures,
                    self._clock,
                    self._stopping,
                    liveness,
                ).hand_over(self._batches.ready_emails(batch))
            finally:
                connection.in_progress = set()
        return batch.claimed
