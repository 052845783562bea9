"""How far a long command is, on one line of a terminal."""

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """A function that shows its words in place of those before, on standard error. Empty words and
    the end of the block clear the line. Where standard error is no terminal, nothing is written.
    """
    if not sys.stderr.isatty():
        yield lambda words: None
        return
    shown = 0

    def show(words: str) -> None:
        nonlocal shown
        # A longer line would wrap, and its beginning would stay.
        if not words:
            click.echo(f"\r{' ' * shown}\r", err=True, nl=False)
            shown = 0
            return
        line = _printable(words)[: shutil.get_terminal_size().columns - 3] + " …"
        click.echo(f"\r{line.ljust(shown)}", err=True, nl=False)
        shown = len(line)

    try:
        yield show
    finally:
        show("")


def _printable(words: str) -> str:
    """The words without control characters, which the name of a file may contain."""
    return "".join(character for character in words if character.isprintable())
