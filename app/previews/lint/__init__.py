"""The lint: checks an email against STANDARDS A.

It reads the bytes that a relay would get. Each standard that a program can check is a function that
yields findings. Tone, sideways scroll and programs that invert colours need a person or a browser.
"""

from collections.abc import Callable, Iterator

from app.previews.lint import (
    clients,
    contrast,
    forbidden_text,
    headers_and_mime,
    inbox,
    layout,
    links,
    markup,
    plain_text,
    structured_data,
    stylesheet,
)
from app.previews.lint.parsed_email import Expected, Finding, ParsedEmail

__all__ = ["Expected", "Finding", "lint"]

RULES: tuple[Callable[[ParsedEmail], Iterator[Finding]], ...] = (
    headers_and_mime.headers,
    headers_and_mime.recipients,
    headers_and_mime.lines,
    headers_and_mime.parts,
    inbox.subject,
    inbox.preheader,
    inbox.tiny_text,
    inbox.fine_print,
    markup.head,
    markup.tables,
    markup.content,
    stylesheet.blocks,
    stylesheet.inlined,
    stylesheet.size,
    contrast.contrast,
    layout.buttons,
    layout.amounts,
    layout.width,
    layout.long_words,
    links.links,
    links.support,
    links.reason,
    links.lifetime,
    plain_text.width,
    plain_text.links,
    plain_text.words,
    plain_text.rows,
    forbidden_text.leftovers,
    forbidden_text.unconfirmed_text,
    structured_data.structured_data,
    clients.support,
)


def lint(source: bytes, expected: Expected) -> list[Finding]:
    """The findings about ``source``, the bytes of a whole message, in the order of ``RULES``.

    ``expected`` says what the email was made from.
    """
    email = ParsedEmail(source, expected)
    return list(dict.fromkeys(finding for rule in RULES for finding in rule(email)))
