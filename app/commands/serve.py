"""``pillarbox serve`` and ``pillarbox migrate``."""

from pathlib import Path

import click
from pyramid.registry import Registry

from app.commands.application import (
    INI,
    database_checked,
    ini_errors_reported,
    load_application,
    ready_application,
)
from app.commands.progress import progress
from app.migrations import migrate as migrate_database
from app.migrations import revisions
from app.operations.readiness import (
    NotReady,
    require_known_revision,
    require_no_other_owner,
    require_own_database,
)
from app.shop.shop_file.importing import CannotImport


@click.command(short_help="Migrate the database and serve the shop.")
@click.argument("ini", type=INI)
def serve(ini: Path) -> None:
    """Migrate the database, add the sample shop to an empty database, and serve. ./run does this.

    In production no sample is added, because a shop sells only what its owner put into it.
    """
    application, file = load_application(ini)
    with database_checked(application.registry, _migrate_own_database) as registry:
        if not registry.pillarbox.is_production:
            _add_sample_shop(registry)
        with ini_errors_reported(ini):
            server = file.get_server("main")
        server(application)


def _add_sample_shop(registry: Registry) -> None:
    # Production needs neither the sample nor the time that its import takes.
    from app.shop.sample import add_sample_shop

    try:
        add_sample_shop(registry)
    except CannotImport as error:
        raise NotReady("sample shop missing", str(error)) from error


def _migrate_own_database(registry: Registry) -> None:
    # This check comes first, so that another site's database is not migrated.
    require_no_other_owner(registry)
    if require_known_revision(registry) != revisions()[-1]:
        _migrate(registry)
    require_own_database(registry)


@click.command()
@click.argument("ini", type=INI)
def migrate(ini: Path) -> None:
    """Give the database this version's tables. Changes nothing when it has them already."""
    with ready_application(ini, require=require_known_revision) as registry:
        _migrate(registry)
    click.echo("The database is up to date.")


def _migrate(registry: Registry) -> None:
    try:
        with progress() as show:
            migrate_database(registry.database.engine, report=show)
    except OSError as error:
        raise NotReady(
            "database unreachable",
            f"Cannot create the database's folder: {error.strerror}: {error.filename}\n"
            "Correct database.url.",
        ) from error
