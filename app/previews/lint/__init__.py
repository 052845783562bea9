"""The lint: STANDARDS A as code, over an email as it goes out.

It reads the bytes that a relay would get, so what it finds is what readers would see. Every
standard that a program can judge is a function here that yields findings; what takes a person or a
browser (tone, sideways scroll, a program that inverts colours) is looked at elsewhere.
"""

from collections.abc import Callable, Iterator

from app.previews.lint import (
    clients,
    contrast,
    layout,
    links,
    markup,
    opening,
    plain,
    structured_data,
    stylesheet,
    wire,
    words,
)
from app.previews.lint.finding import Finding
from app.previews.lint.rendered import Expected, Rendered

__all__ = ["Expected", "Finding", "lint"]

RULES: tuple[Callable[[Rendered], Iterator[Finding]], ...] = (
    wire.headers,
    wire.recipients,
    wire.lines,
    wire.parts,
    opening.subject,
    opening.preheader,
    opening.tiny_text,
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
    plain.width,
    plain.links,
    plain.words,
    plain.rows,
    words.leftovers,
    words.strangers_words,
    structured_data.structured_data,
    clients.support,
)


def lint(source: bytes, expected: Expected) -> list[Finding]:
    """What is wrong with the email ``source``, the bytes of a whole message, by the order of the
    standards. An empty list: nothing that a program can see.
    """
    email = Rendered(source, expected)
    return list(dict.fromkeys(finding for rule in RULES for finding in rule(email)))
