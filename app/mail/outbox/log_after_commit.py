"""The log line about an email that was written, once its transaction has committed.

What is rolled back, with its savepoint or as a whole, was never there, and an email of that number
that nobody finds would look lost.
"""

import logging
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

_LINES = "lines_after_commit"

Line = tuple[SessionTransaction | None, logging.Logger, str, tuple[Any, ...]]


def after_commit(session: Session, log: logging.Logger, line: str, *values: Any) -> None:
    """Log ``line`` when what the session has written until now commits, and only then."""
    if _LINES not in session.info:
        session.info[_LINES] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_soft_rollback", _rolled_back)
    within = session.get_nested_transaction() or session.get_transaction()
    session.info[_LINES].append((within, log, line, values))


def _committed(session: Session) -> None:
    lines: list[Line] = session.info[_LINES]
    savepoint = session.get_nested_transaction()
    if savepoint is not None:
        # Whether these stay is decided by what the savepoint lies in.
        session.info[_LINES] = [
            (savepoint.parent if within is savepoint else within, *rest) for within, *rest in lines
        ]
        return
    session.info[_LINES] = []
    for _, log, line, values in lines:
        log.info(line, *values)


def _rolled_back(session: Session, ended: SessionTransaction) -> None:
    if ended.parent is None:
        session.info[_LINES] = []
    elif ended.nested:
        session.info[_LINES] = [line for line in session.info[_LINES] if line[0] is not ended]
