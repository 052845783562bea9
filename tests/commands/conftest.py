"""What tests of the ``pillarbox`` command share: an .ini file, the command, and what it works
on.
"""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from click.testing import CliRunner, Result
from pyramid.router import Router

from app.commands import main
from app.database.clock import utc_clock
from app.migrations import migrate
from tests.support.sending import Outbox

INI = """
[app:main]
use = egg:pillarbox
{settings}

[server:main]
use = egg:pillarbox
"""
LOGGING = """
[loggers]
keys = root
[handlers]
keys = console
[formatters]
keys = plain
[logger_root]
level = INFO
handlers = console
[handler_console]
class = StreamHandler
args = (sys.stderr,)
formatter = plain
[formatter_plain]
format = %(levelname)s %(name)s %(message)s
"""


def write_ini(path: Path, values: dict[str, str], rest: str = "") -> Path:
    """An .ini file with these settings."""
    settings = "\n".join(f"{name} = {value.replace('%', '%%')}" for name, value in values.items())
    path.write_text(INI.format(settings=settings) + rest, encoding="utf-8")
    return path


@pytest.fixture
def ini(tmp_path: Path, sending_values: dict[str, str]) -> Path:
    """An .ini file of an application that sends through the test's relay."""
    return write_ini(tmp_path / "shop.ini", sending_values)


class Pillarbox(Protocol):
    def __call__(self, *arguments: object, code: int = 0) -> Result: ...


@pytest.fixture
def pillarbox() -> Iterator[Pillarbox]:
    """Runs the command in this process, and checks its exit code. Restores the logging that its
    .ini file has changed.
    """
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)

    def run(*arguments: object, code: int = 0) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exit_code == code, (result.output, result.exception)
        assert "Traceback" not in result.output
        return result

    yield run
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture
def outbox(make_app: Callable[[dict[str, str]], Router], sending_values: dict[str, str]) -> Outbox:
    """The outbox of the .ini file's application, with the real time, which commands use."""
    registry = make_app(sending_values).registry
    registry.clock = utc_clock
    return Outbox(registry)


@pytest.fixture
def unmigrated(outbox: Outbox) -> Callable[[], None]:
    """Drops every table."""
    return lambda: migrate(outbox.registry.database.engine, "base")
