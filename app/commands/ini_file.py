"""What every command begins with: the application of an .ini file, and whether its database is
ready.
"""

import configparser
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import click
from plaster import ILoader, get_loader
from plaster.exceptions import PlasterError
from pyramid.registry import Registry
from pyramid.router import Router

from app.operations.readiness import NotReady, reaching, require_ours

INI = click.Path(exists=True, dir_okay=False, path_type=Path)
"""The argument that names the .ini file."""


def load(ini: Path) -> tuple[Router, ILoader]:
    """The application of an .ini file, and the loader that knows its server. Ends the process with
    code 1 and one message when there is something wrong with the file.
    """
    with reading(ini):
        loader = get_loader(str(ini), protocols=["wsgi"])
        _set_up_logging(loader)
        return loader.get_wsgi_app(), loader


@contextmanager
def reading(ini: Path) -> Iterator[None]:
    """Ends the process with code 1 and one message when the file cannot be read."""
    try:
        yield
    except (
        PlasterError,
        configparser.Error,
        UnicodeDecodeError,
        PackageNotFoundError,
        LookupError,
        OSError,
    ) as error:
        raise click.ClickException(f"{ini} cannot be read: {_in_words(error)}") from None


def _set_up_logging(loader: ILoader) -> None:
    # Whatever a handler's class or arguments raise: they are Python that the file holds.
    try:
        loader.setup_logging(dict(os.environ))
    except (configparser.Error, UnicodeDecodeError, PlasterError):
        raise
    except Exception as error:
        raise LookupError(
            f"its sections on logging are wrong ({type(error).__name__}: {error}). Compare them"
            " with production.ini."
        ) from error


def _in_words(error: Exception) -> str:
    """What is wrong with a file. Its lines are not quoted: they may hold a secret."""
    match error:
        case configparser.InterpolationError():
            return f"[{error.section}] {error.option}: in an .ini file % is written %%."
        case configparser.DuplicateOptionError():
            return (
                f"[{error.section}] {error.option} stands there twice, the second time in line"
                f" {error.lineno}."
            )
        case configparser.DuplicateSectionError():
            return (
                f"the section [{error.section}] stands there twice, the second time in line"
                f" {error.lineno}."
            )
        case configparser.MissingSectionHeaderError():
            return f"line {error.lineno} stands before the first section, such as [app:main]."
        case configparser.ParsingError():
            lines = ", ".join(str(number) for number, _ in error.errors)
            return f"neither a section nor a setting (name = value) stands in line {lines}."
        case UnicodeDecodeError():
            return "it is not text in UTF-8."
        case PackageNotFoundError():
            return f"`use` names {error.name}, which is not installed; Pillarbox is egg:pillarbox."
        case PlasterError():
            return "its name does not end in .ini."
        case LookupError() if str(error).startswith("No section"):
            section = "server:main" if "'server'" in str(error) else "app:main"
            return f"it has no section [{section}]. Compare it with production.ini."
        case _:
            return str(error)


@contextmanager
def opened(ini: Path, require: Callable[[Registry], object] = require_ours) -> Iterator[Registry]:
    """The application's registry, once its database is as ``require`` asks; closed at the end.

    Whatever writes asks that the database is this site's. What is not ready ends the process with
    code 1 and a line that says what to do.
    """
    with checked(load(ini)[0].registry, require) as registry:
        yield registry


@contextmanager
def checked(registry: Registry, require: Callable[[Registry], object]) -> Iterator[Registry]:
    """``opened`` for an application that is loaded already."""
    try:
        with reaching():
            require(registry)
            yield registry
    except NotReady as problem:
        raise click.ClickException(str(problem)) from None
    finally:
        registry.database.dispose()
