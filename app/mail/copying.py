"""A copy of an email for somebody else, such as a developer or a member of staff."""

import secrets

from app.mail.kinds import Kind
from app.mail.message import Attachment, Message, Recipient
from app.mail.outbox.tables import OutboxEmail


def about_copies(email_id: int | None) -> str:
    """What the copies of an email are about: the email, so that erasing it erases them too. A copy
    ends no older email of its kind, because that is about something else. A preview has no id.
    """
    return "copy" if email_id is None else f"copy:{email_id}"


def copy_key() -> str:
    """A new key for a copy."""
    return f"copy:{secrets.token_hex(8)}"


def copy_for(address: str, email: OutboxEmail, kind: Kind) -> Message:
    """The email as a message to ``address``."""
    return Message(
        kind=kind,
        to=Recipient(address, locale=email.locale),
        about=about_copies(email.id),
        subject=email.subject,
        html=email.html_body,
        text=email.text_body,
        attachments=tuple(
            Attachment(attached.filename, attached.content_type, attached.content)
            for attached in email.attachments
        ),
    )
