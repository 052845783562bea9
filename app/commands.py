"""The ``pillarbox`` command."""

import os
import sys
from pathlib import Path

import click
from plaster import get_loader
from plaster.exceptions import PlasterError
from pyramid.router import Router

from app.migrations import migrate as migrate_database
from app.shop.samples import add_sample_catalogue

INI = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
@click.version_option(package_name="pillarbox")
def main() -> None:
    """Run and look after a Pillarbox shop."""


@main.command()
@click.argument("ini", type=INI)
def serve(ini: Path) -> None:
    """Migrate, add the sample catalogue where there is none, and serve: what ./run does."""
    application = _application(ini)
    registry = application.registry
    migrate_database(registry.database.engine)
    with registry.database.transaction(write=True) as session:
        add_sample_catalogue(session)
    base_url = registry.pillarbox.site.base_url
    click.echo(f"Shop     {base_url}/")
    if registry.pillarbox.email.debug:
        click.echo(f"Mailbox  {base_url}/dev/mailbox")
    server = get_loader(str(ini), protocols=["wsgi"]).get_wsgi_server()
    server(application)


@main.command()
@click.argument("ini", type=INI)
def migrate(ini: Path) -> None:
    """Bring the database to this version's tables. Harmless when it is there already."""
    migrate_database(_application(ini).registry.database.engine)
    click.echo("The database is up to date.")


def _application(ini: Path) -> Router:
    try:
        loader = get_loader(str(ini), protocols=["wsgi"])
        loader.setup_logging(dict(os.environ))
        return loader.get_wsgi_app()
    except (PlasterError, LookupError, OSError) as error:
        sys.exit(f"{ini} cannot be read: {error}")
