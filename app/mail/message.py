"""What composing gives and sending takes: a message to one person, complete and not yet on its
way.
"""

from dataclasses import dataclass
from enum import StrEnum

from app.mail.kinds import Kind


class BodyFormat(StrEnum):
    """Which bodies a recipient wants."""

    BOTH = "both"
    HTML = "html"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Whom a message is for, and how that person reads: the stored address, never one typed into a
    form.
    """

    address: str
    name: str = ""
    locale: str = "en"
    body_format: BodyFormat = BodyFormat.BOTH


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that travels with a message."""

    filename: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Message:
    """One composed email. ``problem`` stands in place of the bodies when the kind could not be
    rendered.
    """

    kind: Kind
    to: Recipient
    about: str
    subject: str
    html: str | None
    text: str | None
    attachments: tuple[Attachment, ...] = ()
    problem: str | None = None
