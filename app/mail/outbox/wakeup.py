"""A commit that queues an email wakes the workers, so the email does not wait for the next poll."""

import threading

from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

CHANNEL = "pillarbox_outbox"
"""The channel of PostgreSQL's NOTIFY and LISTEN."""


class Wakeup:
    """Wakes the threads of this process, and on PostgreSQL the workers of other processes.

    Threads wait on a condition. PostgreSQL sends a NOTIFY when the transaction commits.
    """

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._calls = 0

    @property
    def calls(self) -> int:
        """How many calls there have been. Read it before looking for work and pass it to ``wait``:
        a call in between then ends the wait at once.
        """
        with self._condition:
            return self._calls

    def now(self) -> None:
        """Wake every waiting thread of this process."""
        with self._condition:
            self._calls += 1
            self._condition.notify_all()

    def wait(self, seen: int, seconds: float) -> None:
        """Wait until ``calls`` differs from ``seen``, at most ``seconds``."""
        with self._condition:
            self._condition.wait_for(lambda: self._calls != seen, timeout=seconds)

    def after_commit(self, session: Session) -> None:
        """Wake the workers if and when the session's transaction commits."""
        if session.get_bind().dialect.name == "postgresql":
            # PostgreSQL sends equal notifications of one transaction only once.
            session.execute(select(func.pg_notify(CHANNEL, "")))
        if not session.info.get("wakes_delivery"):
            session.info["wakes_delivery"] = True
            event.listen(session, "after_commit", lambda session: self.now())
