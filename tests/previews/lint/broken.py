"""Shared by the lint's tests: emails composed from the samples, then changed in one place."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from pyramid.registry import Registry

from app import configure
from app.mail import Attachment, BodyFormat
from app.mail.outbox.tables import EmailAttachment
from app.mail.smtp.mime import message_bytes
from app.previews.lint import Expected, Finding, lint
from app.previews.preview import Preview, compose_preview
from tests.support.shop_settings import shop_settings

REGISTRY: Registry = configure(
    {}, shop_settings("sqlite://", base_url="https://shop.example", domain="shop.example")
).registry
"""The registry of a configured application. Composing from it touches no database."""

RECEIPT = Attachment("receipt.pdf", "application/pdf", b"%PDF-1.7")

Change = tuple[str, str]
"""The text to replace, and its replacement."""


@dataclass(frozen=True)
class Email:
    """A sample, and what to change in its bodies, its subject or its bytes. Every change has to
    find what it replaces.
    """

    kind: str = "purchase_receipt"
    sample: str = "short"
    html: tuple[Change, ...] = ()
    text: tuple[Change, ...] = ()
    subject: str | None = None
    source: Callable[[bytes], bytes] = lambda source: source
    attachments: tuple[Attachment, ...] = ()
    sent_as: BodyFormat = BodyFormat.BOTH
    expected: Callable[[Expected], Expected] = lambda expected: expected
    """Changes what the lint is told about the email."""

    def findings(self) -> list[Finding]:
        """The lint's findings."""
        kind = REGISTRY.email_kinds.get(self.kind)
        preview = Preview(kind, self.sample, "en", self.sent_as)
        row = compose_preview(REGISTRY, preview)
        html = self.html
        if self.subject is not None:
            html = (*html, (f"<title>{row.subject}<", f"<title>{self.subject}<"))
            row.subject = self.subject
        if row.html_body is not None:
            row.html_body = changed(row.html_body, html)
        if row.text_body is not None:
            row.text_body = changed(row.text_body, self.text)
        row.attachments = [
            EmailAttachment(
                position=0,
                filename=attachment.filename,
                content_type=attachment.content_type,
                content=attachment.content,
            )
            for attachment in self.attachments
        ]
        pillarbox = REGISTRY.pillarbox
        expected = Expected(
            kind, preview.context, preview.to, pillarbox.site, pillarbox.email.sender.address
        )
        return lint(self.source(message_bytes(row)), self.expected(expected))


def changed(text: str, changes: tuple[Change, ...]) -> str:
    for old, new in changes:
        assert old in text, f"there is no {old!r} to change"
        text = text.replace(old, new, 1)
    return text


def broken(cases: dict[str, tuple[Email, str, str]]) -> pytest.MarkDecorator:
    """A test's parameters. Maps what is wrong to an email, the rule that it breaks, and a part of
    the finding's place and problem.
    """
    return pytest.mark.parametrize(("email", "rule", "words"), cases.values(), ids=cases)


def is_found_out(email: Email, rule: str, words: str) -> bool:
    """Whether a finding contains ``words``. All findings must be about ``rule``."""
    findings = email.findings()
    told = [f"{finding.place}: {finding.problem}" for finding in findings]
    assert {finding.rule for finding in findings} == {rule}, findings
    assert all(finding.cure[0].isupper() and finding.cure[-1] != "." for finding in findings)
    return any(words in problem for problem in told)


def said(old: str, new: str) -> Email:
    """An email that says ``new`` instead of ``old`` in both bodies."""
    return Email(html=((f">{old}<", f">{new}<"),), text=((old, new),))


def source(old: str, new: str) -> Callable[[bytes], bytes]:
    """A change of the message's bytes: ``new`` instead of ``old``."""

    def change(source: bytes) -> bytes:
        assert old.encode() in source, f"there is no {old!r} to change"
        return source.replace(old.encode(), new.encode(), 1)

    return change


def header(line: str) -> Callable[[bytes], bytes]:
    """A change of the message's bytes: one more header."""
    return source("\r\nMIME-Version: 1.0\r\n", f"\r\nMIME-Version: 1.0\r\n{line}\r\n")
