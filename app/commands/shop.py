"""``pillarbox shop``: check, import and export the shop's file (docs/shop.md)."""

from pathlib import Path

import click

from app.commands.application import INI, ready_application
from app.commands.progress import progress
from app.operations.readiness import require_migrated_database
from app.shop.shop_file.content import ShopFile
from app.shop.shop_file.exporting import CannotExport, export_shop
from app.shop.shop_file.importing import CannotImport, import_shop
from app.shop.shop_file.parse import parse
from app.shop.shop_file.problems import BadShopFile

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(short_help="Check, import and export the file that says what is sold.")
@click.argument("ini", type=INI)
@click.pass_context
def shop(context: click.Context, ini: Path) -> None:
    """Check, import and export the file that says who sells what. docs/shop.md describes it."""
    context.obj = ini


@shop.command()
@click.argument("file", type=FILE)
def check(file: Path) -> None:
    """Name every problem of FILE. Changes nothing, and needs no database."""
    found = _parse(file)
    products = f"{len(found.products)} product{'' if len(found.products) == 1 else 's'}"
    click.echo(f"{file} is right: {products} in {found.currency}. Next: import it.")


@shop.command("import")
@click.argument("file", type=FILE)
@click.pass_obj
def import_(ini: Path, file: Path) -> None:
    """Sell what FILE says, and nothing else. Orders stay as they are."""
    found = _parse(file)
    with ready_application(ini) as registry, progress() as show:
        try:
            imported = import_shop(registry, found, show)
        except CannotImport as problem:
            raise click.ClickException(str(problem)) from None
    click.echo(imported.summary)


@shop.command()
@click.argument("file", type=NEW_FILE)
@click.pass_obj
def export(ini: Path, file: Path) -> None:
    """Write what is sold to the new file FILE, and its files to a folder beside it."""
    with ready_application(ini, require_migrated_database) as registry, progress() as show:
        try:
            count = export_shop(registry, file, show)
        except CannotExport as problem:
            raise click.ClickException(str(problem)) from None
    click.echo(
        f"{count} product{'' if count == 1 else 's'} written to {file}, their files to"
        f" {file.with_suffix('')}."
    )


def _parse(file: Path) -> ShopFile:
    try:
        return parse(file)
    except BadShopFile as problems:
        raise click.ClickException(str(problems)) from None
