"""What happens only once a transaction is committed: a log line about a written email, or a count.

A transaction or savepoint that rolls back takes the email with it, so a line written at once would
name an email that does not exist.
"""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

_CALLS = "calls_after_commit"

Call = Callable[[], object]


def log_after_commit(session: Session, log: logging.Logger, line: str, *values: Any) -> None:
    """Log ``line`` at level INFO if and when the session's transaction commits."""
    call_after_commit(session, partial(log.info, line, *values))


def call_after_commit(session: Session, call: Call) -> None:
    """Call ``call`` if and when the session's transaction commits."""
    if _CALLS not in session.info:
        session.info[_CALLS] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_soft_rollback", _rolled_back)
    within = session.get_nested_transaction() or session.get_transaction()
    session.info[_CALLS].append((within, call))


def _committed(session: Session) -> None:
    calls: list[tuple[SessionTransaction | None, Call]] = session.info[_CALLS]
    savepoint = session.get_nested_transaction()
    if savepoint is not None:
        # The enclosing transaction can still roll back, so the savepoint's calls now belong to it.
        session.info[_CALLS] = [
            (savepoint.parent if within is savepoint else within, call) for within, call in calls
        ]
        return
    session.info[_CALLS] = []
    for _, call in calls:
        call()


def _rolled_back(session: Session, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session.info[_CALLS] = []
    elif ended.nested:
        session.info[_CALLS] = [call for call in session.info[_CALLS] if call[0] is not ended]
