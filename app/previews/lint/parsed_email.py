"""What every rule gets and yields: the parsed email, what it was made from, and a finding."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from enum import Enum
from functools import cached_property
from typing import Any

from app.mail.composing.composer import CONTENT_BEGINS, CONTENT_ENDS
from app.mail.kinds import Kind
from app.mail.message import Recipient
from app.previews.lint.cascade import Cascade
from app.previews.lint.document import Document
from app.settings.declarations import Site


@dataclass(frozen=True, slots=True)
class Expected:
    """What an email was made from. ``sender`` is the From address."""

    kind: Kind
    context: Any
    to: Recipient
    site: Site
    sender: str

    @property
    def given_text(self) -> str:
        """The text of the context, the recipient's name and the site's. Rules accept it wherever it
        looks like a mistake, because people wrote it.
        """
        return "\n".join([*_texts(self.context), self.to.name, self.site.name])

    @property
    def links(self) -> list[str]:
        """The web addresses in the context."""
        return [
            text
            for text in _texts(self.context)
            if text.startswith(("https://", "http://")) and not set(text) & set(" \n<>")
        ]

    @property
    def lifetimes(self) -> list[timedelta]:
        """The durations in the context, such as the lifetime of a link."""
        values = (getattr(self.context, field.name) for field in fields(self.context))
        return [value for value in values if isinstance(value, timedelta)]


def _texts(value: Any) -> Iterator[str]:
    """The strings in a context. Those of a mapping are structured data, and members of an
    enumeration are names of our own.
    """
    if isinstance(value, str) and not isinstance(value, Enum):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _texts(getattr(value, field.name))
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from _texts(item)


class ParsedEmail:
    """An email as a mail program gets it. Everything is parsed from the bytes ``source``."""

    def __init__(self, source: bytes, expected: Expected) -> None:
        self.source = source
        self.expected = expected
        self.message = message_from_bytes(source, policy=policy.default)

    @cached_property
    def bodies(self) -> Mapping[str, str]:
        """The bodies by subtype, ``plain`` and ``html``, with LF as line end."""
        return {
            part.get_content_subtype(): part.get_content().replace("\r\n", "\n")
            for part in self.message.walk()
            if part.get_content_maintype() == "text" and not part.is_attachment()
        }

    @property
    def html(self) -> str | None:
        return self.bodies.get("html")

    @property
    def text(self) -> str | None:
        return self.bodies.get("plain")

    @cached_property
    def document(self) -> Document:
        """The tree of the HTML; an empty tree when there is none."""
        return Document(self.html or "")

    @cached_property
    def content(self) -> Document:
        """The part of the HTML between the layout's two comments, from which the composer makes the
        plain text.
        """
        html = self.html or ""
        return Document(html.partition(CONTENT_BEGINS)[2].partition(CONTENT_ENDS)[0])

    @cached_property
    def cascade(self) -> Cascade:
        return Cascade(self.document)


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of a rule.

    ``rule`` is the standard's number, such as ``A8``, or ``clients`` for what mail programs lack;
    ``place`` says where to look, ``problem`` what is wrong there, ``cure`` what to do.
    """

    rule: str
    place: str
    problem: str
    cure: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.place}: {self.problem}. {self.cure}."
