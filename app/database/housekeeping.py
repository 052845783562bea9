"""Housekeeping: whoever delivers email deletes, once an hour, rows that nobody needs any more.

Each room says what of its own may go::

    config.add_housekeeping("old events deleted", delete_old_events)
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from pyramid.config import Configurator
from sqlalchemy import Select, delete
from sqlalchemy.orm import InstrumentedAttribute, Session

Sweep = Callable[[Session, datetime, int], int]
"""Deletes up to so many rows that are old at this time, in the session's transaction. Returns how
many it deleted.
"""


def delete_rows(session: Session, key: InstrumentedAttribute[Any], keys: Select[Any]) -> int:
    """Delete the rows whose primary ``key`` is among ``keys``. Returns how many these are."""
    return len(session.scalars(delete(key.class_).where(key.in_(keys)).returning(key)).all())


def includeme(config: Configurator) -> None:
    """Add the directive ``config.add_housekeeping(what, sweep)``. ``what`` is the log line's text,
    such as ``"old events deleted"``.
    """
    sweeps: dict[str, Sweep] = {}
    config.registry.housekeeping = sweeps
    config.add_directive(
        "add_housekeeping", lambda config, what, sweep: sweeps.__setitem__(what, sweep)
    )
