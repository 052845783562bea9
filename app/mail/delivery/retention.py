"""Housekeeping: what a worker sees to now and then, whether or not there is anything to deliver.

It ends what became too late while the relay rests, and erases what was kept long enough.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from app.database import Database
from app.mail.kinds import Kinds
from app.mail.outbox import endings
from app.settings import Email

log = logging.getLogger(__name__)

EXPIRE_SECONDS = 60.0
PURGE_SECONDS = 3600.0
BATCH = 500
"""How many emails one transaction changes, so that nobody waits long for it."""


@dataclass(slots=True)
class _Chore:
    """Something done every so many seconds, batch by batch."""

    name: str
    seconds: float
    do: Callable[[Session, datetime], int]
    due: float = 0.0


class Housekeeping:
    """The chores of one worker. Several workers may do them at once; each email is moved once."""

    def __init__(
        self, database: Database, settings: Email, kinds: Kinds, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._settings = settings
        self._kinds = kinds
        self._clock = clock
        self._chores = [
            _Chore("expired", EXPIRE_SECONDS, self._expire),
            _Chore("erased", PURGE_SECONDS, self._purge),
        ]

    def do_what_is_due(self) -> None:
        """One batch of each chore whose time has come. A full batch means that there is more, and
        the next call goes on.
        """
        for chore in self._chores:
            if time.monotonic() >= chore.due:
                changed = self._batch(chore.do)
                if changed < BATCH:
                    chore.due = time.monotonic() + chore.seconds
                if changed:
                    log.info("%d emails were %s", changed, chore.name)

    def purge(self) -> int:
        """Erase everything that was kept long enough. Returns how many emails lost their bodies."""
        total = 0
        while erased := self._batch(self._purge):
            total += erased
        return total

    def _batch(self, do: Callable[[Session, datetime], int]) -> int:
        with self._database.transaction(write=True, hasty=True) as session:
            return do(session, self._clock())

    def _expire(self, session: Session, now: datetime) -> int:
        keep = [kind.name for kind in self._kinds if not kind.carries_secret]
        return endings.expire(session, now, keep=keep, limit=BATCH)

    def _purge(self, session: Session, now: datetime) -> int:
        kept = timedelta(days=self._settings.retention_days)
        return endings.erase_old(session, now - kept, BATCH)
