"""Composes each sample of a kind as the email that would be sent.

The email is an ``OutboxEmail`` that belongs to no session, so it is never stored, and all code that
takes an email takes it. The same templates always give the same bytes.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyramid.registry import Registry

from app.mail import addresses
from app.mail.composing.composer import Composer
from app.mail.composing.template_errors import message_of, places_of
from app.mail.kinds import Kind
from app.mail.message import BodyFormat, Recipient
from app.mail.outbox.tables import OutboxEmail, attachment_rows
from app.mail.smtp.mime import message_bytes
from app.previews.lint import Expected, Finding, lint

WRITTEN_AT = datetime(2026, 11, 22, 17, 50, tzinfo=UTC)
"""The Date of every preview."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One sample of a kind in one language and body format."""

    kind: Kind
    sample: str
    language: str
    body_format: BodyFormat = BodyFormat.BOTH

    @property
    def name(self) -> str:
        """The name of its files: ``purchase_receipt.short.en``."""
        return f"{self.kind.name}.{self.sample}.{self.language}"

    @property
    def context(self) -> Any:
        """The context that the email is composed from."""
        return self.kind.samples[self.sample]

    @property
    def to(self) -> Recipient:
        """An invented customer."""
        # An email to an unconfirmed address shows no name, because a stranger may have typed it.
        name = "" if self.kind.is_unconfirmed(self.context) else "Ada Lovelace"
        return Recipient("ada@example.org", name, self.language, self.body_format)


def previews_of(registry: Registry, kind: Kind) -> Iterator[Preview]:
    """Every sample of ``kind`` in every language of the site."""
    for sample in kind.samples:
        for language in registry.languages.names:
            yield Preview(kind, sample, language)


def compose_preview(registry: Registry, preview: Preview) -> OutboxEmail:
    """The email of a preview. Raises the errors of its template."""
    settings = registry.pillarbox
    sender = settings.email.sender
    message = registry.email_composer.compose(
        preview.kind, preview.context, to=preview.to, about="preview", strictly=True
    )
    domain = sender.address.rpartition("@")[2]
    return OutboxEmail(
        key=f"preview:{preview.name}",
        kind=preview.kind.name,
        about=message.about,
        priority=int(preview.kind.priority),
        locale=message.to.locale,
        sender=addresses.mailbox(sender.name, sender.address),
        envelope_sender=settings.email.return_path,
        recipient_name=message.to.name,
        recipient=message.to.address,
        reply_to=settings.site.support_email,
        subject=message.subject,
        html_body=message.html,
        text_body=message.text,
        message_id=f"<{hashlib.sha256(preview.name.encode()).hexdigest()[:32]}@{domain}>",
        created_at=WRITTEN_AT,
        expires_at=WRITTEN_AT + preview.kind.time_to_live,
        attachments=attachment_rows(message.attachments),
    )


def findings_of(registry: Registry, preview: Preview, email: OutboxEmail) -> list[Finding]:
    """The lint's findings about a preview's email.

    Raises ``BadAddress`` when one of the addresses cannot be put into a header.
    """
    settings = registry.pillarbox
    sender = settings.email.sender.address
    expected = Expected(preview.kind, preview.context, preview.to, settings.site, sender)
    untranslated = [
        Finding(
            "A16",
            preview.language,
            f"{text!r} has no translation",
            "The email says it in English: translate it in the language's catalogue",
        )
        for text in untranslated_texts(registry, preview)
    ]
    return [*_lint(preview, message_bytes(email), expected), *untranslated]


_last_checks: dict[tuple[str, BodyFormat], tuple[bytes, Expected, list[Finding]]] = {}


def _lint(preview: Preview, source: bytes, expected: Expected) -> list[Finding]:
    """The findings about ``source``. Checking takes twenty times as long as composing, so an email
    that is the same as at its last check is not checked again.
    """
    name = preview.name, preview.body_format
    before = _last_checks.get(name)
    if before is not None and before[:2] == (source, expected):
        return before[2]
    findings = lint(source, expected)
    _last_checks[name] = source, expected, findings
    return findings


def untranslated_texts(registry: Registry, preview: Preview) -> list[str]:
    """The texts of a preview's email that its language has no translation of. Raises the errors of
    its template.
    """
    composer: Composer = registry.email_composer
    return composer.untranslated(preview.kind, preview.context, preview.to)


def broken_template(preview: Preview, error: Exception) -> Finding:
    """The finding about a kind whose preview ``compose_preview`` cannot make, or the lint cannot
    read, because of ``error``.
    """
    places = "; ".join(str(place) for place in places_of(error, preview.kind))
    place = places or f"email/{preview.kind.name}.jinja2"
    return Finding("template", place, message_of(error).rstrip("."), "Correct the template")
