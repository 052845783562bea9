"""Checks an email of the outbox as a preview is checked.

The outbox does not keep the context that the email was made from. So the lint learns the links from
the email itself, and takes the kind's time to live as the lifetime of a secret link: an email is of
no use once its link has expired. A product's name that looks like a mistake may become a finding
here and none in the preview.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from email.utils import parseaddr

from pyramid.registry import Registry

from app.mail.kinds import Kind
from app.mail.message import BodyFormat, Recipient
from app.mail.outbox.tables import OutboxEmail
from app.mail.smtp.mime import message_bytes
from app.previews.lint import Expected, Finding, lint


@dataclass(frozen=True, slots=True)
class WrittenContext:
    """What is known of the context of an email in the outbox."""

    links: tuple[str, ...]
    lifetime: timedelta | None


def findings_of_written(
    registry: Registry, kind: Kind, email: OutboxEmail, links: Sequence[str]
) -> list[Finding]:
    """The lint's findings about an email that has bodies and contains ``links``. Raises
    ``BadAddress`` when one of the addresses cannot be put into a header.
    """
    lifetime = kind.time_to_live if kind.carries_secret else None
    context = WrittenContext(tuple(links), lifetime)
    recipient = Recipient(email.recipient, email.recipient_name, email.locale, _bodies(email))
    sender = parseaddr(email.sender)[1]
    expected = Expected(kind, context, recipient, registry.pillarbox.site, sender)
    return lint(message_bytes(email), expected)


def _bodies(email: OutboxEmail) -> BodyFormat:
    if email.html_body is None:
        return BodyFormat.TEXT
    return BodyFormat.BOTH if email.text_body is not None else BodyFormat.HTML
