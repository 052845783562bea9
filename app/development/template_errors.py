"""Finds the template and the line that an error comes from, to show them instead of a traceback."""

import traceback
from dataclasses import dataclass
from pathlib import Path

from jinja2 import TemplateSyntaxError

CONTEXT_LINES = 3
"""The number of lines to show before and after the wrong one."""


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """An error's message and its place: the template's path, the line (from 1), and the lines
    around it with their numbers. The place is empty when no template caused the error.
    """

    message: str
    path: str = ""
    line: int = 0
    excerpt: tuple[tuple[int, str], ...] = ()


def template_problem(error: Exception) -> TemplateProblem:
    """The problem behind an error that composing an email has raised."""
    message = f"{type(error).__name__}: {error}"
    place = _place(error)
    if place is None:
        return TemplateProblem(message)
    path, line = place
    lines = Path(path).read_text("utf-8").splitlines()
    first = max(line - CONTEXT_LINES, 1)
    excerpt = enumerate(lines[first - 1 : line + CONTEXT_LINES], first)
    return TemplateProblem(message, path, line, tuple(excerpt))


def _place(error: Exception) -> tuple[str, int] | None:
    if isinstance(error, TemplateSyntaxError) and error.filename:
        return error.filename, error.lineno
    # Jinja2 puts its templates into the traceback. The last of them raised the error.
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.endswith(".jinja2") and frame.lineno:
            return frame.filename, frame.lineno
    return None
