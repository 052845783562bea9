"""``pillarbox emails erase``: forget a recipient."""

from pathlib import Path

import click
from sqlalchemy import func, select

from app.commands.application import ready_application
from app.commands.progress import progress
from app.mail import addresses
from app.mail.erasing import erase_recipient
from app.mail.outbox.tables import OutboxEmail, SuppressedAddress
from app.staff.actions import write_action

BATCH = 500


@click.command(short_help="Erase all about one recipient.")
@click.argument("address")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def erase(ini: Path, address: str, yes: bool) -> None:
    """Erase what the outbox holds about ADDRESS: bodies, names, subjects, files, the relay's words,
    events, its suppression and the address itself. Kinds, states and times stay.

    Emails that wait are cancelled. It cannot be undone. Backups are not changed.
    """
    with ready_application(ini) as registry:
        database = registry.database
        to_recipient = OutboxEmail.recipient_key == addresses.key_of(address)
        with database.transaction(write=False) as session:
            count = session.scalar(select(func.count()).where(to_recipient)) or 0
            is_suppressed = session.get(SuppressedAddress, addresses.key_of(address)) is not None
        if count and not yes:
            click.confirm(f"Erase {_emails(count)} to this address for good?", abort=True)
        erased = 0
        with progress() as show:
            while True:
                show(f"emails erased: {erased} of {count}")
                with database.transaction(write=True) as session:
                    batch = erase_recipient(session, address, BATCH)
                    erased += batch
                    if batch:
                        write_action(
                            session,
                            "erase",
                            "",
                            now=registry.clock(),
                            staff_id=None,
                            done=batch,
                            detail="pillarbox emails",
                        )
                if batch < BATCH:
                    break
        with database.transaction(write=False) as session:
            left = session.scalar(select(func.count()).where(to_recipient)) or 0
        is_clean = database.empty_log()
    if erased or left:
        click.echo(f"{_emails(erased)} erased.")
    elif is_suppressed:
        click.echo("No email to this address was found. Its suppression was erased.")
    else:
        click.echo("No email to this address was found. Nothing was erased.")
    if not is_clean:
        click.echo(
            "SQLite's log still holds pages that a reader needs. They go with its next checkpoint,"
            " or when you run this again."
        )
    if left:
        raise click.ClickException(
            f"Still being sent: {_emails(left)} to this address. Run this again in a minute."
        )


def _emails(count: int) -> str:
    return "1 email" if count == 1 else f"{count} emails"
