"""What every command begins with: the application of an .ini file, and whether its database is
ready.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from plaster import ILoader, get_loader
from plaster.exceptions import PlasterError
from pyramid.registry import Registry
from pyramid.router import Router

from app.readiness import NotReady, reaching, require_ours

INI = click.Path(exists=True, dir_okay=False, path_type=Path)
"""The argument that names the .ini file."""


def load(ini: Path) -> tuple[Router, ILoader]:
    """The application of an .ini file, and the loader that knows its server. Ends the process with
    code 1 and one message when there is something wrong with the file.
    """
    try:
        loader = get_loader(str(ini), protocols=["wsgi"])
        loader.setup_logging(dict(os.environ))
        return loader.get_wsgi_app(), loader
    except (PlasterError, LookupError, OSError) as error:
        raise click.ClickException(f"{ini} cannot be read: {error}") from None


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
