"""Expiry: an email that waited too long expires, and a body that was kept long enough is erased.

These periodic tasks of a worker run even when there is nothing to deliver, and while the relay
rests. The housekeeping of the application's other rooms runs with them.
"""

import logging
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.database.engine import Database
from app.database.housekeeping import Sweep
from app.mail.kinds import Kinds
from app.mail.outbox import claims, endings
from app.settings.declarations import Email

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 60.0
PURGE_SECONDS = 3600.0
BATCH = 500
"""The most emails that one transaction changes, so that other writers do not wait long for it."""


class Expiry:
    """The tasks of one worker. Several workers may run them at once: each email changes once."""

    def __init__(
        self,
        database: Database,
        settings: Email,
        kinds: Kinds,
        clock: Callable[[], datetime],
        housekeeping: Mapping[str, Sweep] | None = None,
    ) -> None:
        self._database = database
        self._settings = settings
        self._kinds = kinds
        self._clock = clock
        self._tasks = (
            ("emails expired", EXPIRE_SECONDS, self._expire),
            ("bodies of refused emails erased", EXPIRE_SECONDS, self._erase_refused),
            ("email bodies erased", PURGE_SECONDS, self._purge),
            ("email contexts erased", EXPIRE_SECONDS, self._purge_uncomposed),
            ("times far ahead corrected", EXPIRE_SECONDS, self._correct_times),
            *(
                (change, PURGE_SECONDS, self._swept(sweep))
                for change, sweep in (housekeeping or {}).items()
            ),
        )
        self._due = {change: 0.0 for change, _, _ in self._tasks}
        """When each task is due, by ``time.monotonic``."""

    def run_due_tasks(self) -> None:
        """Run one batch of each task that is due. A task stays due after a full batch, because
        there may be more, so the next call continues it.
        """
        for change, seconds, run in self._tasks:
            if time.monotonic() >= self._due[change]:
                changed = self._batch(run)
                if changed < BATCH:
                    self._due[change] = time.monotonic() + seconds
                if changed:
                    log.info("%s: rows=%d", change, changed)

    def purge(self, report: Callable[[int], None] = lambda _: None) -> int:
        """Erase all bodies older than ``email.retention_days``. Returns how many emails had one.
        ``report`` is told the number so far after each batch.
        """
        total = 0
        for purge in (self._purge, self._purge_uncomposed):
            while erased := self._batch(purge):
                total += erased
                report(total)
        return total

    def _batch(self, run: Callable[[Session, datetime], int]) -> int:
        with self._database.transaction(write=True, asynchronous_commit=True) as session:
            return run(session, self._clock())

    def _expire(self, session: Session, now: datetime) -> int:
        return endings.expire(session, now, keep=self._without_secret(), limit=BATCH)

    def _erase_refused(self, session: Session, now: datetime) -> int:
        return endings.erase_refused(session, now, keep=self._without_secret(), limit=BATCH)

    def _correct_times(self, session: Session, now: datetime) -> int:
        return claims.correct_times(session, now, limit=BATCH)

    def _purge(self, session: Session, now: datetime) -> int:
        return endings.erase_old(session, now - self._kept_for(), BATCH)

    def _purge_uncomposed(self, session: Session, now: datetime) -> int:
        return endings.erase_uncomposed(
            session, now - self._kept_for(), now, keep=self._without_secret(), limit=BATCH
        )

    def _swept(self, sweep: Sweep) -> Callable[[Session, datetime], int]:
        return lambda session, now: sweep(session, now, BATCH)

    def _kept_for(self) -> timedelta:
        return timedelta(days=self._settings.retention_days)

    def _without_secret(self) -> list[str]:
        return [kind.name for kind in self._kinds if not kind.carries_secret]
