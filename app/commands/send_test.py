"""``pillarbox send-test``: one email through the real queue, and what the relay says about it."""

import secrets
import time
from pathlib import Path

import click
from pyramid.registry import Registry
from sqlalchemy import select

from app.commands.ini_file import INI, opened
from app.mail import EmailService, Recipient, addresses
from app.mail.delivery import relay
from app.mail.delivery.worker import Delivery
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.mail.test_message import TEST_MESSAGE, DeliveryTest

OTHERS_SECONDS = 3.0
"""How long a server or worker that runs has to take the email before the command delivers it."""
WAIT_SECONDS = 120.0
"""How long somebody else's delivery, or a relay that rests, is waited for."""
LOOK_SECONDS = 0.1
WAITS = "waits for the relay: "
"""How the reason of an email begins that a relay's rest holds up."""


@click.command("send-test")
@click.argument("ini", type=INI)
@click.argument("address")
def send_test(ini: Path, address: str) -> None:
    """Send a test email to ADDRESS, and wait for the relay's verdict.

    A server or worker that runs delivers it; where there is none, this command does. The exit code
    is 0 when the relay took it, or debug mode captured it, and 1 otherwise.
    """
    try:
        addresses.ascii_domain(address)
    except addresses.BadAddress as problem:
        raise click.ClickException(f"{address!r} cannot get email: {problem}") from None
    with opened(ini) as registry:
        email = _queue(registry, address)
        if email.state == State.QUEUED:
            click.echo(f"Test email {email.id} is queued.")
            email = _verdict(registry, email.id)
        words = _last_words(registry, email)
        name = relay.name_of(registry.pillarbox.email)
        if email.state == State.SENT:
            click.echo(f"The relay took it: {words}")
        elif email.state == State.CAPTURED:
            click.echo(f"Captured, since email.debug is on. {_where(registry, ini, email)}")
        elif email.state == State.QUEUED:
            raise click.ClickException(
                f"The relay {name} did not take it: {words}\n"
                "A server or worker that runs tries it again for an hour. To stop that:"
                f" pillarbox emails {ini} cancel {email.id}"
            )
        elif email.state == State.FAILED:
            raise click.ClickException(f"The test email failed: {words}")
        elif email.state == State.UNKNOWN:
            raise click.ClickException(
                f"Nobody knows whether the relay {name} took it: {words}\n"
                "Look whether it arrives. To send it again:"
                f" pillarbox emails {ini} release {email.id}"
            )
        else:
            raise click.ClickException(f"The test email is {email.state}: {words}")


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


def _verdict(registry: Registry, id: int) -> OutboxEmail:
    """The email, once something has become of it."""
    start = time.monotonic()
    worker = Delivery.from_registry(registry)
    relay_name = relay.name_of(registry.pillarbox.email)
    has_told = False
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
            if rest is not None and not has_told:
                click.echo(f"The relay rests until {rest.until:%H:%M:%S} UTC: {rest.reason}")
                has_told = True
            if waited > OTHERS_SECONDS and rest is None and email.leased_by is None:
                worker.run_once(only=id)
            time.sleep(LOOK_SECONDS)
    finally:
        worker.stop()


def _last_words(registry: Registry, email: OutboxEmail) -> str:
    """What was said last about the email, by the relay if it spoke."""
    with registry.database.transaction(write=False) as session:
        # What the relay said to everybody stands in no email's row.
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


def _where(registry: Registry, ini: Path, email: OutboxEmail) -> str:
    pillarbox = registry.pillarbox
    if pillarbox.is_production:
        return f"To see it: pillarbox emails {ini} show {email.id} --body"
    return f"See it at {pillarbox.site.base_url}/dev/mailbox/{email.id}"
