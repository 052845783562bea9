"""What a check finds: that something is well, or what is wrong with it and its cure."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How serious a finding is."""

    OK = "ok"
    WARNING = "warning"
    """Emails go out, but something will go wrong or is worth a look."""
    PROBLEM = "problem"
    """Emails do not go out or do not arrive."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked. ``cure`` says what to do about it, and ``error`` is what the
    check itself failed with.
    """

    level: Level
    words: str
    cure: str = ""
    error: Exception | None = None


def ok(words: str) -> Finding:
    return Finding(Level.OK, words)


def warning(words: str, cure: str) -> Finding:
    return Finding(Level.WARNING, words, cure)


def problem(words: str, cure: str) -> Finding:
    return Finding(Level.PROBLEM, words, cure)
