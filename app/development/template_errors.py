"""Where a template is wrong, so that a developer need not read a traceback."""

import traceback
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateSyntaxError

AROUND = 3
"""How many lines are shown before and after the wrong one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, in the words of the error, and where: a path, a line that counts from 1, and
    the lines around it with their numbers. Without a template of ours in it, the place is empty.
    """

    problem: str
    path: str = ""
    line: int = 0
    excerpt: tuple[tuple[int, str], ...] = ()


def fault_of(error: Exception) -> Fault:
    """The fault behind an error that a template raised."""
    problem = f"{type(error).__name__}: {error}"
    place = _place(error)
    if place is None:
        return Fault(problem)
    path, line = place
    lines = Path(path).read_text("utf-8").splitlines()
    first = max(line - AROUND, 1)
    excerpt = enumerate(lines[first - 1 : line + AROUND], first)
    return Fault(problem, path, line, tuple(excerpt))


def _place(error: Exception) -> tuple[str, int] | None:
    if isinstance(error, TemplateSyntaxError) and error.filename:
        return error.filename, error.lineno
    # Jinja2 writes its templates into the traceback; the last one is where it happened.
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.endswith(".jinja2") and frame.lineno:
            return frame.filename, frame.lineno
    return None
