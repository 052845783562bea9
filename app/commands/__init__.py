"""The ``pillarbox`` command: one file for each thing it does."""

import click

from app.commands.adopt import adopt
from app.commands.deliver import deliver
from app.commands.emails import emails
from app.commands.send_test import send_test
from app.commands.serve import migrate, serve


@click.group()
@click.version_option(package_name="pillarbox")
def main() -> None:
    """Run and look after a Pillarbox shop."""


for command in (serve, deliver, emails, send_test, migrate, adopt):
    main.add_command(command)
