"""The doctor: checks whether emails can leave and arrive, and says what to do where they cannot.

Each file checks one thing and yields findings. No check changes anything, and none sends an email.
"""

from collections.abc import Callable, Iterator

from pyramid.registry import Registry

from app.operations.doctor import database, dns, events, names, queue, relay, templates
from app.operations.doctor.findings import Finding, Level

__all__ = ["Finding", "Level", "examine"]

_CHECKS: tuple[tuple[str, Callable[[Registry], Iterator[Finding]]], ...] = (
    ("database", database.check),
    ("relay", relay.check),
    ("names", names.check),
    ("DNS", dns.check),
    ("events", events.check),
    ("templates", templates.check),
    ("queue", queue.check),
)


def examine(registry: Registry) -> Iterator[tuple[str, Finding]]:
    """Run all checks, each with its name. A check that raises an error is a problem of its own, and
    the others go on. Where the database cannot be used, what needs it is left out.
    """
    has_database = True
    for name, check in _CHECKS:
        if name in ("events", "queue") and not has_database:
            continue
        try:
            for finding in check(registry):
                if name == "database" and finding.level is Level.PROBLEM:
                    has_database = False
                yield name, finding
        except Exception as error:
            yield (
                name,
                Finding(
                    Level.PROBLEM,
                    f"the check failed: {type(error).__name__}",
                    "This is a fault of Pillarbox; its log has the details.",
                    error,
                ),
            )
