"""The wake-up call from a commit to those who deliver, so that an email need not wait for the next
poll.
"""

import threading

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

CHANNEL = "pillarbox_outbox"
"""The name that PostgreSQL's NOTIFY and LISTEN use."""


class Wakeup:
    """Within the process a condition; between processes, on PostgreSQL, a NOTIFY that leaves with
    the commit.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many calls there were; hand it to ``wait`` so that none in between is missed."""
        with self._condition:
            return self._calls

    def now(self) -> None:
        """Wake everybody who waits."""
        with self._condition:
            self._calls += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until there is a call after the ``seen``-th, or ``seconds`` have passed."""
        with self._condition:
            self._condition.wait_for(lambda: self._calls != seen, timeout=seconds)

    def after_commit(self, session: Session) -> None:
        """Wake those who deliver when the session's transaction commits, and only then."""
        if session.get_bind().dialect.name == "postgresql":
            # PostgreSQL folds equal notifications of one transaction into one.
            session.execute(select(func.pg_notify(CHANNEL, "")))
        if not session.info.get("wakes_delivery"):
            session.info["wakes_delivery"] = True
            event.listen(session, "after_commit", lambda session: self.now())
