"""``pillarbox serve`` and ``pillarbox migrate``."""

from pathlib import Path

import click
from pyramid.registry import Registry

from app.commands.opening import INI, checked, load, opened
from app.migrations import migrate as migrate_database
from app.readiness import NotReady, require_no_other_owner, require_ours, require_tables
from app.shop.samples import add_sample_catalogue


@click.command()
@click.argument("ini", type=INI)
def serve(ini: Path) -> None:
    """Migrate, add the sample catalogue where there is none, and serve: what ./run does."""
    application, loader = load(ini)
    with checked(application.registry, _migrated_and_ours) as registry:
        with registry.database.transaction(write=True) as session:
            add_sample_catalogue(session)
        base_url = registry.pillarbox.site.base_url
        click.echo(f"Shop     {base_url}/")
        if registry.pillarbox.email.debug:
            click.echo(f"Mailbox  {base_url}/dev/mailbox")
        loader.get_wsgi_server()(application)


def _migrated_and_ours(registry: Registry) -> None:
    # Another site's database is not even migrated.
    require_no_other_owner(registry)
    try:
        require_tables(registry)
    except NotReady:
        migrate_database(registry.database.engine)
    require_ours(registry)


@click.command()
@click.argument("ini", type=INI)
def migrate(ini: Path) -> None:
    """Bring the database to this version's tables. Harmless when it is there already."""
    with opened(ini, require=lambda registry: None) as registry:
        migrate_database(registry.database.engine)
    click.echo("The database is up to date.")
