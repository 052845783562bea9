"""A message: what composing returns and ``send_message`` takes. It goes to one person."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from app.mail.kinds import Kind


class BodyFormat(StrEnum):
    """Which bodies a recipient wants: HTML, plain text or both."""

    BOTH = "both"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Recipient:
    """The person whom a message goes to, with the language and the bodies that this person wants.
    ``address`` comes from the database, never from a form.
    """

    address: str
    name: str = ""
    locale: str = "en"
    body_format: BodyFormat = BodyFormat.BOTH


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file attached to a message."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """A composed message. When its template could not be rendered, the bodies are None and
    ``problem`` says why. ``context`` is what it is made from; None when nobody composed it.
    """

    kind: Kind
    to: Recipient
    about: str
    subject: str
    html: str | None
    text: str | None
    attachments: tuple[Attachment, ...] = ()
    problem: str | None = None
    context: Any = None
