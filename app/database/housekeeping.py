"""Housekeeping: rows that nobody needs any more are deleted once an hour, by whoever delivers email.

Each room says what of its own may go::

    config.add_housekeeping("old events deleted", delete_old_events)
"""

from collections.abc import Callable
from datetime import datetime

from pyramid.config import Configurator
from sqlalchemy.orm import Session

Sweep = Callable[[Session, datetime, int], int]
"""Deletes up to so many rows that are old at this time, in the session's transaction. Returns how
many it deleted.
"""


def includeme(config: Configurator) -> None:
    """Add the directive ``config.add_housekeeping(what, sweep)``. ``what`` is the log line's text,
    such as ``"old events deleted"``.
    """
    sweeps: dict[str, Sweep] = {}
    config.registry.housekeeping = sweeps
    config.add_directive(
        "add_housekeeping", lambda config, what, sweep: sweeps.__setitem__(what, sweep)
    )
