"""Emails as lines for a terminal. Text from people and relays is printed without control
characters.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from unicodedata import category

from app.mail.delivery.relay import Rest
from app.mail.outbox.tables import EmailAttempt, OutboxEmail, State

LABEL_WIDTH = 12


def table_lines(headers: Sequence[str], rows: Sequence[Sequence[str | datetime]]) -> Iterator[str]:
    """A table: headers, then rows, each column as wide as its widest cell."""
    lines = [headers, *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()


def detail_lines(
    email: OutboxEmail,
    attempts: Sequence[EmailAttempt],
    rest: Rest | None,
    *,
    is_secret: bool,
    with_body: bool,
) -> Iterator[str]:
    """Every fact about an email, and its attempts. A body that carries a secret is left out.
    ``rest`` is the relay's rest, None when it does not rest.
    """
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
    for attempt in attempts:
        result = f"{attempt.outcome} at {attempt.phase} after {attempt.duration_ms} ms"
        yield f"  {_cell(attempt.at)}  {result}: {_cell(attempt.reply)}"
    if with_body and email.has_body and not is_secret:
        yield ""
        for line in (email.text_body or email.html_body or "").splitlines():
            yield _cell(line)


def rest_line(name: str, rest: Rest) -> str:
    """Why no email goes out now."""
    return f"The relay {name} rests until {_cell(rest.until)}: {_cell(rest.reason)}"


def _next_try(email: OutboxEmail, rest: Rest | None) -> datetime | None:
    if email.state != State.QUEUED or email.next_attempt_at is None:
        return None
    if rest is None:
        return email.next_attempt_at
    return max(email.next_attempt_at, rest.until)


def _describe_body(email: OutboxEmail, is_secret: bool) -> str:
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
