"""The lint: STANDARDS A as code, over an email as it goes out.

It reads the bytes that a relay would get, so what it finds is what readers would see. Every
standard that a program can judge is a function here that yields findings; what takes a person or a
browser (tone, sideways scroll, a program that inverts colours) is looked at elsewhere.
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
from app.previews.lint.finding import Finding
from app.previews.lint.parsed_email import Expected, ParsedEmail

__all__ = ["Expected", "Finding", "lint"]

RULES: tuple[Callable[[ParsedEmail], Iterator[Finding]], ...] = (
    headers_and_mime.headers,
    headers_and_mime.recipients,
    headers_and_mime.lines,
    headers_and_mime.parts,
    inbox.subject,
    inbox.preheader,
    inbox.tiny_text,
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
    layout.endless_words,
    links.links,
    links.support,
    links.reason,
    links.lifetime,
    plain_text.width,
    plain_text.links,
    plain_text.words,
    plain_text.rows,
    forbidden_text.leftovers,
    forbidden_text.strangers_words,
    structured_data.structured_data,
    clients.support,
)


def lint(source: bytes, expected: Expected) -> list[Finding]:
    """What is wrong with the email ``source``, the bytes of a whole message, by the order of the
    standards. An empty list: nothing that a program can see.
    """
    email = ParsedEmail(source, expected)
    return list(dict.fromkeys(finding for rule in RULES for finding in rule(email)))
