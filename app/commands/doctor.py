"""``pillarbox doctor``: check everything that an email needs on its way to the mailbox."""

import logging
import time
from pathlib import Path

import click
from pyramid.registry import Registry

from app.commands.application import INI, load_application
from app.commands.progress import progress
from app.commands.send_test import not_delivered, send_and_report
from app.mail import command_counts
from app.mail.outbox.event_tables import Event
from app.mail.outbox.tables import OutboxEmail, State
from app.operations.doctor import Level, examine
from app.settings.origins import origins
from app.settings.values import TAG

log = logging.getLogger(__name__)

DELIVERED_SECONDS = 300.0
"""How long ``--send`` waits for the event that the email was delivered."""
LOOK_SECONDS = 0.5
UNDECIDED = (None, Event.DEFERRED, Event.AUTORESPONDED)
"""What was heard about an email of which nobody has told whether it was delivered."""
NAME_WIDTH = 11


@click.command()
@click.argument("ini", type=INI)
@click.option("--brief", is_flag=True, help="Print only what is not well. For cron.")
@click.option("--send", "address", metavar="ADDRESS", help="Send a test email there, and wait.")
def doctor(ini: Path, brief: bool, address: str | None) -> None:
    """Check settings, database, relay, DNS, events, templates and queue.

    Changes nothing, except that --send sends one email.

    Each finding is ok, a warning or a problem, with its cure. The exit code is 1 when there is a
    problem.
    """
    registry = load_application(ini)[0].registry
    try:
        if not brief:
            _print_settings(registry)
        problems = _print_findings(registry, brief=brief)
        if address is not None and problems:
            above = "problem" if problems == 1 else "problems"
            click.echo(f"No test email was sent, because of the {above} above.")
        elif address is not None:
            with command_counts.handed_over(registry.database):
                _send(registry, ini, address)
    finally:
        registry.database.dispose()
    if problems:
        number = "1 problem" if problems == 1 else f"{problems} problems"
        raise click.ClickException(f"{number} found.")


def _print_settings(registry: Registry) -> None:
    values = registry.settings
    here = Path(values.get("here", "")).absolute()
    source = Path(values.get("__file__", "the application's settings")).name
    rows = list(origins(values, here=here, source=source))
    name_width = max(len(row.name) for row in rows)
    place_width = max(len(row.place) for row in rows)
    for row in rows:
        line = f"{row.name.ljust(name_width)}  {row.place.ljust(place_width)}  {row.shown}"
        click.echo(line.rstrip())
    click.echo()


def _print_findings(registry: Registry, *, brief: bool) -> int:
    """Print the findings. Returns how many are problems."""
    problems = 0
    for name, finding in examine(registry):
        problems += finding.level is Level.PROBLEM
        if finding.error is not None:
            log.error("doctor's check failed: check=%s", name, exc_info=finding.error)
        if brief and finding.level is Level.OK:
            continue
        click.echo(f"{finding.level.ljust(8)} {name.ljust(NAME_WIDTH)}{finding.words}")
        for line in finding.cure.splitlines():
            click.echo(f"{' ' * (9 + NAME_WIDTH)}{line}")
    return problems


def _send(registry: Registry, ini: Path, address: str) -> None:
    """Send a test email, and wait until the relay took it. Where a service sends events, wait until
    it reports the delivery, too.
    """
    email = send_and_report(registry, ini, address)
    settings = registry.pillarbox.email
    if email.state != State.SENT:
        return
    if settings.events is None and TAG not in settings.return_path:
        click.echo("Nobody reports whether it is delivered, because email.events is not set.")
        return
    if settings.events is None:
        click.echo("A report comes only if it bounces. Look into the mailbox.")
        return
    with progress() as show:
        show(f"waiting until {settings.events} reports the delivery")
        heard = _wait_for_event(registry, email.id)
    if heard is None:
        raise click.ClickException(
            f"{settings.events} reported nothing within {DELIVERED_SECONDS:.0f} seconds. Check its"
            " webhook, and the mailbox."
        )
    if heard.state == State.BOUNCED:
        raise not_delivered(heard)
    click.echo("The recipient's server accepted the email.")


def _wait_for_event(registry: Registry, email_id: int) -> OutboxEmail | None:
    """The email, once it is known whether it was delivered. None after ``DELIVERED_SECONDS``."""
    deadline = time.monotonic() + DELIVERED_SECONDS
    while time.monotonic() < deadline:
        with registry.database.transaction(write=False) as session:
            email: OutboxEmail = session.get_one(OutboxEmail, email_id)
        if email.heard not in UNDECIDED:
            return email
        time.sleep(LOOK_SECONDS)
    return None
