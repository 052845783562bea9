"""A log line about a written email appears only once the email is committed.

A transaction or savepoint that rolls back takes the email with it, so a line written at once would
name an email that does not exist.
"""

import logging
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

_LINES = "lines_after_commit"

Line = tuple[SessionTransaction | None, logging.Logger, str, tuple[Any, ...]]


def log_after_commit(session: Session, log: logging.Logger, line: str, *values: Any) -> None:
    """Log ``line`` at level INFO if and when the session's transaction commits."""
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
        # The enclosing transaction can still roll back, so the savepoint's lines now belong to it.
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
