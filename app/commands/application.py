"""How every command begins: load the application of an .ini file, and check that its database is
ready.
"""

import configparser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import click
from pyramid.registry import Registry
from pyramid.router import Router

from app.commands.ini_file import IniFile
from app.mail import command_counts
from app.operations.readiness import NotReady, database_errors_as_not_ready, require_own_database

INI = click.Path(exists=True, dir_okay=False, path_type=Path)
"""The argument that names the .ini file."""


def load_application(ini: Path) -> tuple[Router, IniFile]:
    """The application of an .ini file, and the file, which knows its server. Ends the process with
    code 1 and one message when something is wrong with the file.
    """
    with ini_errors_reported(ini):
        if ini.suffix != ".ini":
            raise LookupError("its name does not end in .ini.")
        file = IniFile(ini)
        _set_up_logging(file)
        return file.get_app("main"), file


@contextmanager
def ini_errors_reported(ini: Path) -> Iterator[None]:
    """End the process with code 1 and one message when the .ini file cannot be read."""
    try:
        yield
    except (
        configparser.Error,
        UnicodeDecodeError,
        PackageNotFoundError,
        LookupError,
        OSError,
    ) as error:
        raise click.ClickException(f"{ini} cannot be read: {_describe(error)}") from None


def _set_up_logging(file: IniFile) -> None:
    # The file names handlers' classes and arguments as Python, which can raise any exception.
    try:
        file.set_up_logging()
    except configparser.Error:
        raise
    except Exception as error:
        raise LookupError(
            f"its logging sections are wrong ({type(error).__name__}: {error}). Compare them with"
            " production.ini."
        ) from error


def _describe(error: Exception) -> str:
    """What is wrong with an .ini file. The message quotes no line, which may hold a secret."""
    match error:
        case configparser.InterpolationError():
            return f"[{error.section}] {error.option}: write % as %% in an .ini file."
        case configparser.DuplicateOptionError():
            return (
                f"[{error.section}] {error.option} is set twice, the second time in line"
                f" {error.lineno}. Delete one of them."
            )
        case configparser.DuplicateSectionError():
            return (
                f"the section [{error.section}] begins twice, the second time in line"
                f" {error.lineno}. Make it one section."
            )
        case configparser.MissingSectionHeaderError():
            return f"line {error.lineno} belongs to no section. Begin with one, such as [app:main]."
        case configparser.ParsingError():
            lines = ", ".join(str(number) for number, _ in error.errors)
            return f"a section or a setting (name = value) is expected in line {lines}."
        case UnicodeDecodeError():
            return "it is not text in UTF-8."
        case PackageNotFoundError():
            return f"`use` names {error.name}, which is not installed; Pillarbox is egg:pillarbox."
        case LookupError() if str(error).startswith("No section"):
            section = "server:main" if "'server'" in str(error) else "app:main"
            return f"it has no section [{section}]. Compare it with production.ini."
        case _:
            return str(error)


@contextmanager
def ready_application(
    ini: Path, require: Callable[[Registry], object] = require_own_database
) -> Iterator[Registry]:
    """The registry of an .ini file's application, after ``require`` has checked the database. The
    database's connections are closed at the end of the block, after the command's counts have been
    left for the next scrape.

    A command that writes needs the default check, that the database belongs to this site. Ends the
    process with code 1 and a message that says what to do when the database is not ready.
    """
    registry = load_application(ini)[0].registry
    with database_checked(registry, require), command_counts.handed_over(registry.database):
        yield registry


@contextmanager
def database_checked(
    registry: Registry, require: Callable[[Registry], object]
) -> Iterator[Registry]:
    """The same for an application that is loaded already, without the counts: for a process that is
    scraped itself.
    """
    try:
        with database_errors_as_not_ready():
            require(registry)
            yield registry
    except NotReady as problem:
        raise click.ClickException(str(problem)) from None
    finally:
        registry.database.dispose()
