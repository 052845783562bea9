"""A copy of an email for somebody else, such as a developer or a member of staff."""

import secrets

from app.mail.kinds import Kind
from app.mail.message import Attachment, Message, Recipient
from app.mail.outbox.tables import OutboxEmail


def copy_for(address: str, email: OutboxEmail, kind: Kind) -> Message:
    """The email as a message to ``address``. Its ``about`` is new and serves as its key, too."""
    return Message(
        kind=kind,
        to=Recipient(address, locale=email.locale),
        # A copy ends no older email of its kind, because it is about something else.
        about=f"copy:{secrets.token_hex(8)}",
        subject=email.subject,
        html=email.html_body,
        text=email.text_body,
        attachments=tuple(
            Attachment(attached.filename, attached.content_type, attached.content)
            for attached in email.attachments
        ),
    )
