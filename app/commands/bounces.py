"""``pillarbox bounce`` and ``pillarbox bounces``: take in the reports that email servers send to
the return path, one from a pipe, or those of a maildir. Neither ever answers one.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from pyramid.registry import Registry

from app.commands.application import INI, ready_application
from app.mail.events import report_parts
from app.mail.events.hearing import Counts
from app.mail.events.reports import hear_report

log = logging.getLogger(__name__)

ANY_INI = click.Path(path_type=Path)
"""An .ini file that need not exist, because click would exit with another code than 75."""
IS_SEEN = ":2,S"
"""What the name of a message that was read ends with in a maildir."""


@click.command(short_help="Take in one report from an email server's pipe.")
@click.argument("ini", type=ANY_INI)
def bounce(ini: Path) -> None:
    """Take in the report on standard input: a bounce, a feedback report or an automatic answer.

    Exits with 75 (EX_TEMPFAIL) when the report could not be taken in, so that the email server
    keeps it and tries again. Exits with 0 otherwise, also for what is no report.
    """
    # The email server's pipe breaks when a program ends before it has read all of it.
    report = report_parts.read(sys.stdin.buffer)
    with _failures_as_tempfail(), ready_application(ini) as registry:
        _hear(registry, report)


@click.command(short_help="Take in the reports of a maildir.")
@click.argument("ini", type=INI)
@click.option(
    "--maildir",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="The folder with new and cur in it.",
)
def bounces(ini: Path, maildir: Path) -> None:
    """Take in the reports in the folder new of a maildir, and move each into cur once it is
    committed.

    What is no report is moved too. A file that cannot be taken in stays in new, is named, and makes
    the command exit with 1. Two runs at once do no harm.
    """
    new, seen = maildir / "new", maildir / "cur"
    if not (new.is_dir() and seen.is_dir()):
        raise click.ClickException(f"{maildir} is not a maildir: it needs the folders new and cur.")
    # A maildir has no messages whose names begin with a dot.
    names = sorted(path.name for path in new.iterdir() if not path.name.startswith("."))
    done = matched = 0
    left: list[str] = []
    try:
        with (
            ready_application(ini) as registry,
            click.progressbar(
                names, label="Reports", file=sys.stderr, hidden=not sys.stderr.isatty()
            ) as progress,
        ):
            for name in progress:
                try:
                    counts = _take_in(registry, new / name, seen)
                except OSError as error:
                    # What is gone was taken in by another run.
                    if os.path.lexists(new / name):
                        left.append(f"{name}: {error.strerror}")
                else:
                    done += 1
                    matched += counts.unmatched == 0
    finally:
        click.echo(
            f"Read {done} of {len(names)} messages; {matched} are about emails of this shop."
        )
    if left:
        raise click.ClickException("These stay in new:\n" + "\n".join(left))


def _take_in(registry: Registry, path: Path, seen: Path) -> Counts:
    """Take in one message of a maildir, and move it."""
    # O_NONBLOCK: opening a named pipe would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as stream:
        report = report_parts.read(stream)
    counts = _hear(registry, report)
    path.rename(seen / (path.name.partition(":")[0] + IS_SEEN))
    return counts


def _hear(registry: Registry, report: bytes) -> Counts:
    return hear_report(
        registry.database,
        report,
        tags=registry.email_tags,
        kinds=registry.email_kinds,
        now=registry.clock(),
    )


@contextmanager
def _failures_as_tempfail() -> Iterator[None]:
    """Exit with 75 whatever goes wrong. Every other code makes an email server give up the report,
    which would then be lost.
    """
    try:
        yield
    except (click.ClickException, SystemExit) as problem:
        click.echo(str(problem), err=True)
        sys.exit(os.EX_TEMPFAIL)
    except Exception:
        log.exception("report cannot be taken in")
        sys.exit(os.EX_TEMPFAIL)
