"""``pillarbox send-test``: send one email through the outbox, and print the relay's reply."""

import secrets
import time
from collections.abc import Callable
from pathlib import Path

import click
from pyramid.registry import Registry
from sqlalchemy import select

from app.commands.application import INI, ready_application
from app.commands.progress import progress
from app.mail import EmailService, Recipient, addresses
from app.mail.delivery import relay
from app.mail.delivery.worker import Delivery
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.test_message import TEST_MESSAGE, DeliveryTest

OTHERS_SECONDS = 3.0
"""How long the command leaves the email to a running server or worker before it delivers it."""
WAIT_SECONDS = 120.0
"""How long the command waits for a verdict."""
LOOK_SECONDS = 0.1
WAITING = "waiting for the relay's verdict"
WAITS = "waits for the relay: "
"""The reason of an email begins so while the relay rests."""


@click.command("send-test")
@click.argument("ini", type=INI)
@click.argument("address")
def send_test(ini: Path, address: str) -> None:
    """Send a test email to ADDRESS, and wait for the relay's verdict.

    A running server or worker delivers the email. If none is running, this command does. The exit
    code is 0 when the relay accepted the email or debug mode captured it, and 1 otherwise.
    """
    with ready_application(ini) as registry:
        send_and_report(registry, ini, address)


def send_and_report(registry: Registry, ini: Path, address: str) -> OutboxEmail:
    """Send a test email to ``address``, and print what became of it. Returns the email when the
    relay accepted it or debug mode captured it. Raises ``ClickException`` otherwise.
    """
    try:
        addresses.ascii_domain(address)
    except addresses.BadAddress as problem:
        raise click.ClickException(f"Cannot send email to {address!r}: {problem}") from None
    email = _queue(registry, address)
    if email.state == State.QUEUED:
        click.echo(f"Test email {email.id} is queued.")
        with progress() as show:
            email = _wait_for_verdict(registry, email.id, show)
    reply = _last_reply(registry, email)
    name = relay.name_of(registry.pillarbox.email)
    if email.state == State.SENT:
        click.echo(f"The relay accepted the email: {reply}")
    elif email.state == State.BOUNCED:
        click.echo(f"The relay accepted the email: {reply}")
        raise not_delivered(email)
    elif email.state == State.CAPTURED:
        click.echo(
            "The email is captured and not sent, because email.debug is true."
            f" {_where_to_see(registry, ini, email)}"
        )
    elif email.state == State.QUEUED:
        raise click.ClickException(
            f"The relay {name} did not accept the email: {reply}\n"
            "A running server or worker tries again for an hour. To prevent that:"
            f" pillarbox emails {ini} cancel {email.id}"
        )
    elif email.state == State.FAILED:
        raise click.ClickException(f"The test email failed: {reply}")
    elif email.state == State.UNKNOWN:
        raise click.ClickException(
            f"The email is in doubt; the relay {name} may have accepted it: {reply}\n"
            "Check whether it arrives. To send it again:"
            f" pillarbox emails {ini} release {email.id}"
        )
    else:
        raise click.ClickException(f"The test email is {email.state}: {reply}")
    return email


def not_delivered(email: OutboxEmail) -> click.ClickException:
    """What to tell of an email that bounced, or that the service did not send."""
    return click.ClickException(f"The email was not delivered: {email.reason}")


def _queue(registry: Registry, address: str) -> OutboxEmail:
    now = registry.clock()
    message = registry.email_composer.compose(
        TEST_MESSAGE, DeliveryTest(now), to=Recipient(address), about="test_message"
    )
    with registry.database.transaction(write=True) as session:
        service = EmailService(
            settings=registry.pillarbox.email,
            site=registry.pillarbox.site,
            session=session,
            clock=registry.clock,
            wakeup=registry.email_wakeup,
        )
        return service.send_message(message, key=f"test_message:{secrets.token_hex(8)}")


def _wait_for_verdict(registry: Registry, id: int, show: Callable[[str], None]) -> OutboxEmail:
    """The email, after a verdict on it or after ``WAIT_SECONDS``. ``show`` shows the progress."""
    start = time.monotonic()
    worker = Delivery(registry)
    relay_name = relay.name_of(registry.pillarbox.email)
    is_rest_printed = False
    show(WAITING)
    try:
        while True:
            with registry.database.transaction(write=False) as session:
                email: OutboxEmail = session.get_one(OutboxEmail, id)
                rest = relay.rest(session, relay_name, registry.clock())
            waited = time.monotonic() - start
            if email.state not in (State.QUEUED, State.SENDING) or email.reason is not None:
                return email
            if waited > WAIT_SECONDS:
                return email
            if rest is not None and not is_rest_printed:
                show("")
                click.echo(f"The relay rests until {rest.until:%H:%M:%S} UTC: {rest.reason}")
                show(WAITING)
                is_rest_printed = True
            if waited > OTHERS_SECONDS and rest is None and email.leased_by is None:
                worker.run_once(only=id)
            time.sleep(LOOK_SECONDS)
    finally:
        worker.stop()


def _last_reply(registry: Registry, email: OutboxEmail) -> str:
    """The relay's last reply about the email, or else the reason of the email's state."""
    with registry.database.transaction(write=False) as session:
        # A reply that makes the relay rest is recorded with the relay, not with an email.
        rest = relay.rest(session, relay.name_of(registry.pillarbox.email), registry.clock())
        if rest is not None and (email.reason or "").startswith(WAITS):
            return rest.reason
        reply = session.scalar(
            select(EmailAttempt.reply)
            .where(EmailAttempt.email_id == email.id)
            .order_by(EmailAttempt.id.desc())
            .limit(1)
        )
    reason = (email.reason or "").removeprefix(WAITS)
    return reply or reason or f"there was no verdict within {WAIT_SECONDS:.0f} seconds"


def _where_to_see(registry: Registry, ini: Path, email: OutboxEmail) -> str:
    pillarbox = registry.pillarbox
    if pillarbox.is_production:
        return f"To see it: pillarbox emails {ini} show {email.id} --body"
    return f"See it at {pillarbox.site.base_url}/dev/mailbox/{email.id}"
