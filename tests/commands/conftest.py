"""What tests of the ``pillarbox`` command share: an .ini file, the command, and what it works
on.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.database.clock import utc_clock
from app.migrations import migrate
from tests.support.application import MakeApp
from tests.support.outbox import Outbox
from tests.support.pillarbox_command import Pillarbox, run_command
from tests.support.shop_settings import write_ini


@pytest.fixture
def ini(tmp_path: Path, sending_values: dict[str, str]) -> Path:
    """An .ini file of an application that sends through the test's relay."""
    return write_ini(tmp_path / "shop.ini", sending_values)


@pytest.fixture
def pillarbox() -> Iterator[Pillarbox]:
    """Runs the command in this process. Afterwards the log is set up as it was before."""
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    yield run_command
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def outbox(make_app: MakeApp, sending_values: dict[str, str]) -> Outbox:
    """The outbox that the .ini file's application has. Its clock tells the real time, as a
    command's does.
    """
    registry = make_app(sending_values).registry
    registry.clock = utc_clock
    return Outbox(registry)


@pytest.fixture
def unmigrated(outbox: Outbox) -> Callable[[], None]:
    """Drops every table."""
    return lambda: migrate(outbox.registry.database.engine, "base")
