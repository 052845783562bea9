"""``pillarbox serve`` and ``pillarbox migrate``."""

from pathlib import Path

import click
from pyramid.registry import Registry

from app.commands.ini_file import INI, checked, load, opened, reading
from app.migrations import migrate as migrate_database
from app.operations.readiness import (
    NotMigrated,
    NotReady,
    require_known_tables,
    require_no_other_owner,
    require_ours,
    require_tables,
)
from app.shop.sample_catalogue import add_sample_catalogue


@click.command(short_help="Serve the shop, after bringing its database up to date.")
@click.argument("ini", type=INI)
def serve(ini: Path) -> None:
    """Migrate, add the sample catalogue where there is none, and serve: what ./run does.

    In production nothing is added: a shop sells what its owner put into it.
    """
    application, loader = load(ini)
    with checked(application.registry, _migrated_and_ours) as registry:
        if not registry.pillarbox.is_production:
            with registry.database.transaction(write=True) as session:
                add_sample_catalogue(session)
        with reading(ini):
            server = loader.get_wsgi_server()
        server(application)


def _migrated_and_ours(registry: Registry) -> None:
    # Another site's database is not even migrated.
    require_no_other_owner(registry)
    try:
        require_tables(registry)
    except NotMigrated:
        _migrate(registry)
    require_ours(registry)


@click.command()
@click.argument("ini", type=INI)
def migrate(ini: Path) -> None:
    """Bring the database to this version's tables. Harmless when it is there already."""
    with opened(ini, require=require_known_tables) as registry:
        _migrate(registry)
    click.echo("The database is up to date.")


def _migrate(registry: Registry) -> None:
    try:
        migrate_database(registry.database.engine)
    except OSError as error:
        raise NotReady(
            "database unreachable",
            f"The database's folder cannot be made: {error.strerror}: {error.filename}\n"
            "Correct database.url.",
        ) from error
