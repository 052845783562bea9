"""What makes a message impossible to send, whatever the relay would say."""

from app.mail import addresses
from app.mail.message import Message

LARGEST = 10_000_000
"""The most octets that bodies and attachments may have together. Most relays refuse larger emails,
and an email about one act to one person stays far below.
"""


def problem_of(message: Message) -> str | None:
    """Why the message cannot be sent, without any address, or None when it can."""
    try:
        addresses.mailbox(message.to.name, message.to.address)
        addresses.check_text(message.subject, "the subject")
        size = sum(_size(body) for body in (message.html, message.text) if body is not None)
        for attachment in message.attachments:
            addresses.check_text(attachment.filename, "the name of an attachment")
            addresses.check_text(attachment.content_type, "the type of an attachment")
            size += len(attachment.content)
    except addresses.BadAddress as error:
        return str(error)
    if size > LARGEST:
        return f"the email has {size} octets, and the most is {LARGEST}"
    return None


def _size(body: str) -> int:
    if "\x00" in body:
        raise addresses.BadAddress("the body contains a NUL character")
    try:
        return len(body.encode())
    except UnicodeEncodeError as error:
        raise addresses.BadAddress(
            "the body contains half a character (a lone surrogate)"
        ) from error
