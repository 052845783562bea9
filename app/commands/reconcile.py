"""``pillarbox reconcile``: ask the payment provider about everything that is not settled."""

from pathlib import Path

import click

from app.commands.application import INI, ready_application
from app.shop.payments.reconcile import reconcile as reconcile_now


@click.command(short_help="Ask the payment provider about what is not settled.")
@click.argument("ini", type=INI)
def reconcile(ini: Path) -> None:
    """Ask the payment provider about open payments and refunds, and compare those of three days.

    Whoever delivers email does this every five minutes, and compares once a day.
    """
    with ready_application(ini) as registry:
        for what, count in reconcile_now(registry, is_daily_due=True).items():
            click.echo(f"{what[0].upper()}{what[1:]}: {count}.")
