"""``pillarbox emails``: list emails of the outbox, and resend, release, cancel or erase them.

Text from people and relays is printed without control characters.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from operator import itemgetter
from pathlib import Path
from typing import Any
from unicodedata import category

import click
from pyramid.registry import Registry
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.commands import email_decisions, email_erasing
from app.commands.application import INI, ready_application
from app.commands.email_filters import ID, filter_of, filter_options
from app.commands.progress import progress
from app.mail.delivery import relay
from app.mail.delivery.expiry import Expiry
from app.mail.delivery.relay import Rest
from app.mail.outbox.event_tables import EmailEvent
from app.mail.outbox.last_words import last_words, with_code
from app.mail.outbox.search import find
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State
from app.operations.readiness import require_migrated_database

LABEL_WIDTH = 12
LONGEST_WORDS = 60


@click.group(short_help="List emails; show, resend, release, cancel, purge, erase.")
@click.argument("ini", type=INI)
@click.pass_context
def emails(context: click.Context, ini: Path) -> None:
    """List the emails of the outbox, and resend, release, cancel or erase them."""
    context.obj = ini


@emails.command("list")
@filter_options
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@click.pass_obj
def list_(ini: Path, /, limit: int, **typed: Any) -> None:
    """List emails, the newest first."""
    with _reading(ini) as (registry, session):
        found = find(session, filter_of(registry, session, typed), limit=limit)
        words = last_words(session, found)
        rows: list[tuple[str | datetime, ...]] = [
            (
                str(email.id),
                email.created_at,
                email.kind,
                email.state,
                email.recipient,
                _short(words[email.id]),
            )
            for email in found
        ]
        name = relay.name_of(registry.pillarbox.email)
        rest = relay.rest(session, name, registry.clock())
    if not rows:
        click.echo("No emails found.")
        return
    for line in _table_lines(("ID", "WRITTEN (UTC)", "KIND", "STATE", "TO", "LAST WORDS"), rows):
        click.echo(line)
    if rest is not None:
        click.echo(f"The relay {name} rests until {_cell(rest.until)}: {_cell(rest.reason)}")


@emails.command()
@click.argument("id", type=ID)
@click.option("--body", "with_body", is_flag=True, help="Print the body, too.")
@click.pass_obj
def show(ini: Path, id: int, with_body: bool) -> None:
    """Show one email, the relay's replies and the events that were heard about it.

    A body that carries a secret is never printed.
    """
    with _reading(ini) as (registry, session):
        email = _email(session, id)
        attempts = session.scalars(
            select(EmailAttempt).where(EmailAttempt.email_id == id).order_by(EmailAttempt.id)
        ).all()
        events = session.scalars(
            select(EmailEvent).where(EmailEvent.email_id == id).order_by(EmailEvent.id)
        ).all()
        kind = registry.email_kinds.get(email.kind)
        is_secret = kind is None or kind.carries_secret
        rest = relay.rest(session, relay.name_of(registry.pillarbox.email), registry.clock())
        for line in _detail_lines(email, rest, is_secret=is_secret):
            click.echo(line)
        for line in _story_lines(attempts, events):
            click.echo(line)
        if with_body and email.has_body and not is_secret:
            click.echo()
            for line in (email.text_body or email.html_body or "").splitlines():
                click.echo(_cell(line))


for command in (
    email_decisions.resend,
    email_decisions.release,
    email_decisions.cancel,
    email_erasing.erase,
):
    emails.add_command(command)


@emails.command(short_help="Erase the bodies of old emails.")
@click.pass_obj
def purge(ini: Path) -> None:
    """Erase the bodies of emails older than email.retention_days. Unfinished emails keep theirs."""
    with ready_application(ini) as registry:
        settings = registry.pillarbox.email
        expiry = Expiry(registry.database, settings, registry.email_kinds, registry.clock)
        with progress() as show:
            erased = expiry.purge(lambda total: show(f"bodies erased: {total}"))
    bodies = "The bodies of 1 email" if erased == 1 else f"The bodies of {erased} emails"
    click.echo(f"{bodies} older than {settings.retention_days} days were erased.")


@contextmanager
def _reading(ini: Path) -> Iterator[tuple[Registry, Session]]:
    """A reading transaction. The database may belong to any site."""
    with (
        ready_application(ini, require=require_migrated_database) as registry,
        registry.database.transaction(write=False) as session,
    ):
        yield registry, session


def _email(session: Session, id: int) -> OutboxEmail:
    email = session.get(OutboxEmail, id)
    if email is None:
        raise click.ClickException(f"There is no email {id}.")
    return email


def _table_lines(headers: Sequence[str], rows: Sequence[Sequence[str | datetime]]) -> Iterator[str]:
    """A table: headers, then rows, each column as wide as its widest cell."""
    lines = [headers, *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def _short(words: str) -> str:
    """The words in one line, at most ``LONGEST_WORDS`` characters of them."""
    line = " ".join(words.split())
    return line if len(line) <= LONGEST_WORDS else f"{line[: LONGEST_WORDS - 1]}…"


def _detail_lines(email: OutboxEmail, rest: Rest | None, *, is_secret: bool) -> Iterator[str]:
    """Every fact about an email. ``rest`` is the relay's rest, None when it does not rest."""
    recipient = email.recipient
    if email.recipient_name:
        recipient = f"{email.recipient_name} <{recipient}>"
    facts: list[tuple[str, str | datetime | None]] = [
        ("kind", email.kind),
        ("state", email.state),
        ("reason", email.reason),
        ("to", recipient),
        ("from", email.sender),
        ("subject", email.subject),
        ("about", email.about),
        ("key", email.key),
        ("message-id", email.message_id),
        ("locale", email.locale),
        ("written", email.created_at),
        ("sent", email.sent_at),
        ("delivered", email.delivered_at),
        ("next try", _next_try(email, rest)),
        ("expires", email.expires_at),
        ("worker", email.leased_by),
        ("request", email.request_id),
        ("body", _describe_body(email, is_secret)),
        *(
            ("attachment", f"{attachment.filename} ({len(attachment.content)} octets)")
            for attachment in email.attachments
        ),
    ]
    yield f"Email {email.id}"
    for label, value in facts:
        if value:
            yield f"  {label.ljust(LABEL_WIDTH)}{_cell(value)}"


def _story_lines(attempts: Sequence[EmailAttempt], events: Sequence[EmailEvent]) -> Iterator[str]:
    """The attempts and the events of an email, in the order of their times."""
    story = [
        *((attempt.at, _of_attempt(attempt)) for attempt in attempts),
        *((event.at, _of_event(event)) for event in events),
    ]
    # The sort keeps the order of what has one time.
    for at, what in sorted(story, key=itemgetter(0)):
        yield f"  {_cell(at)}  {_cell(what)}"


def _of_attempt(attempt: EmailAttempt) -> str:
    result = f"{attempt.outcome} at {attempt.phase} after {attempt.duration_ms} ms"
    return f"{result}: {attempt.reply}"


def _of_event(event: EmailEvent) -> str:
    words = with_code(event.code, event.words)
    return f"{event.event} ({event.source}){f': {words}' if words else ''}"


def _next_try(email: OutboxEmail, rest: Rest | None) -> datetime | None:
    if email.state != State.QUEUED or email.next_attempt_at is None:
        return None
    if rest is None:
        return email.next_attempt_at
    return max(email.next_attempt_at, rest.until)


def _describe_body(email: OutboxEmail, is_secret: bool) -> str:
    if email.made_from is not None:
        return "not composed yet; emails resend and a start of a worker try it again"
    if not email.has_body:
        return "erased, or never composed"
    if is_secret:
        return "carries a secret and is not printed"
    formats = [("HTML", email.html_body), ("text", email.text_body)]
    return " and ".join(name for name, body in formats if body is not None)


def _cell(value: str | datetime) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    # Dates and amounts contain other spaces than " ". Python counts none of them as printable.
    return "".join(
        c if c.isprintable() else " " if category(c) == "Zs" else "\N{REPLACEMENT CHARACTER}"
        for c in value
    )
