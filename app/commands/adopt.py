"""``pillarbox adopt``: a database that was another site's becomes this site's."""

from pathlib import Path

import click
from pyramid.registry import Registry
from sqlalchemy.orm import Session

from app.commands.ini_file import INI, opened
from app.mail.outbox import endings
from app.operations.readiness import adopt as adopt_database
from app.operations.readiness import require_tables, site_of

BATCH = 500


@click.command(short_help="Make a copied or moved database this site's.")
@click.argument("ini", type=INI)
@click.option("--keep-queued", is_flag=True, help="Send what was queued: for a shop that moved.")
def adopt(ini: Path, keep_queued: bool) -> None:
    """Make the database this site's: for a copy of another shop's data, or a shop that moved.

    What was still to be sent is cancelled, so that no customer of the other site gets it twice.
    Stop every server and worker on this database first.
    """
    with opened(ini, require=require_tables) as registry:
        base_url = registry.pillarbox.site.base_url
        ours = site_of(base_url)
        with registry.database.transaction(write=True) as session:
            theirs = adopt_database(session, base_url, registry.clock())
            if theirs is None:
                click.echo(f"The database belongs to {ours}.")
                return
            reason = f"the database came from {theirs}"
            cancelled = 0 if keep_queued else _cancel_all(registry, session, reason)
    click.echo(f"The database belongs to {ours} now, and no longer to {theirs}.")
    if not keep_queued:
        click.echo(f"Emails cancelled: {cancelled}.")


def _cancel_all(registry: Registry, session: Session, reason: str) -> int:
    keep = [kind.name for kind in registry.email_kinds if not kind.carries_secret]
    total = 0
    while cancelled := endings.cancel_all(session, reason, keep=keep, limit=BATCH):
        total += cancelled
    return total
