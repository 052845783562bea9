"""The ``pillarbox`` command, run in the test's own process. ``Pillarbox`` is the type of the
fixture ``pillarbox``, which forgets afterwards what the .ini file says of the log.
"""

from typing import Protocol

from click.testing import CliRunner, Result

from app.commands import main


class Pillarbox(Protocol):
    """``pillarbox("migrate", ini)`` runs a command and checks that it ends with ``code``.
    ``typed`` is its standard input: what somebody types when the command asks, or a file.
    """

    def __call__(self, *arguments: object, code: int = 0, typed: str | bytes = "") -> Result: ...


def run_command(*arguments: object, code: int = 0, typed: str | bytes = "") -> Result:
    """Run the command, and check its exit code and that it shows no traceback."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments], input=typed)
    assert result.exit_code == code, (result.output, result.exception)
    assert "Traceback" not in result.output
    return result
