"""``pillarbox adopt``: make another site's database this site's."""

from collections.abc import Callable
from pathlib import Path

import click
from pyramid.registry import Registry
from sqlalchemy.orm import Session

from app.commands.application import INI, ready_application
from app.commands.progress import progress
from app.database.owner import adopt_for, site_of
from app.mail.outbox import endings
from app.operations.readiness import require_migrated_database

BATCH = 500


@click.command(short_help="Make a copied or moved database this site's.")
@click.argument("ini", type=INI)
@click.option("--keep-queued", is_flag=True, help="Send the queued emails. For a shop that moved.")
def adopt(ini: Path, keep_queued: bool) -> None:
    """Make the database this site's. For a copy of another shop's data, or a shop that moved.

    Every queued or held email is cancelled, because the other site sends it too. Stop every server
    and worker on this database first.
    """
    with (
        ready_application(ini, require=require_migrated_database) as registry,
        progress() as show,
    ):
        site = site_of(registry.pillarbox.site.base_url)
        with registry.database.transaction(write=True) as session:
            previous = adopt_for(session, site, registry.clock())
            if previous is None:
                click.echo(f"The database belongs to {site}.")
                return
            reason = f"the database came from {previous}"
            cancelled = 0 if keep_queued else _cancel_all(registry, session, reason, show)
    click.echo(f"The database belongs to {site} now, and no longer to {previous}.")
    if not keep_queued:
        click.echo(f"Emails cancelled: {cancelled}.")


def _cancel_all(
    registry: Registry, session: Session, reason: str, show: Callable[[str], None]
) -> int:
    keep = [kind.name for kind in registry.email_kinds if not kind.carries_secret]
    total = 0
    while cancelled := endings.cancel_all(session, reason, keep=keep, limit=BATCH):
        total += cancelled
        show(f"emails cancelled: {total}")
    return total
