"""The bytes of a row of the outbox (RFC 5322 and MIME). The same row always gives the same bytes.

The usual message (text, HTML, attachments) is written here directly: ``EmailMessage`` takes ten
times as long, and it folds a long name with spaces that mail programs show. ``EmailMessage`` writes
attached messages only. The tests parse every result with it.
"""

import binascii
import hashlib
import mimetypes
import re
from collections.abc import Iterator
from contextlib import suppress
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import format_datetime
from urllib.parse import quote

from app.mail import addresses
from app.mail.inline_images import content_ids
from app.mail.outbox.tables import EmailAttachment, OutboxEmail

CRLF = b"\r\n"
LONGEST_HEADER_LINE = 78
"""Characters, without CRLF (RFC 5322 2.1.1)."""


def message_bytes(email: OutboxEmail, tag_header: tuple[str, str] | None = None) -> bytes:
    """The message of a row: lines end in CRLF, each header occurs once, no Bcc, no Return-Path.

    ``tag_header`` is the name and value of the header in which a service brings the email's tag
    back (``app.mail.events.tags``).

    Raises ``BadAddress`` if an address or a name cannot be written in a header.
    """
    boundaries = _boundaries(email.message_id)
    # A mail program shows the last part that it can (RFC 2046 5.1.4), so the HTML comes last.
    bodies = (("plain", email.text_body), ("html", email.html_body))
    parts = [_text_part(subtype, body) for subtype, body in bodies if body is not None]
    shown = content_ids(email.html_body) if email.attachments else {}
    images = [
        _image_part(file, shown[file.filename])
        for file in email.attachments
        if file.filename in shown
    ]
    if images:
        parts[-1] = _multipart("related", [parts[-1], *images], next(boundaries))
    body = parts[0] if len(parts) == 1 else _multipart("alternative", parts, next(boundaries))
    attached = [_attachment_part(file) for file in email.attachments if file.filename not in shown]
    if attached:
        body = _multipart("mixed", [body, *attached], next(boundaries))
    tag = b"" if tag_header is None else header_line(*tag_header)
    message = b"".join((*_headers(email), tag, body))
    return message if message.endswith(CRLF) else message + CRLF


def _headers(email: OutboxEmail) -> Iterator[bytes]:
    sender_name, _, sender = email.sender.rpartition("<")
    yield header_line("Date", format_datetime(email.created_at))
    yield address_line("From", sender_name.rstrip(), sender.rstrip(">"))
    yield address_line("To", email.recipient_name, email.recipient)
    yield header_line("Subject", email.subject)
    yield header_line("Message-ID", email.message_id)
    yield address_line("Reply-To", "", email.reply_to)
    yield header_line("MIME-Version", "1.0")
    # Both ask for no automatic answer, such as a vacation notice (RFC 3834; Exchange).
    yield header_line("Auto-Submitted", "auto-generated")
    yield header_line("X-Auto-Response-Suppress", "All")
    # Gmail groups emails with equal subjects unless this header differs.
    yield header_line("X-Entity-Ref-ID", email.message_id.strip("<>").partition("@")[0])
    yield header_line("Content-Language", email.locale.replace("_", "-"))


def header_line(name: str, value: str) -> bytes:
    """One unstructured header, encoded and folded, with its CRLF.

    Raises ``BadAddress`` if the value has a control character.
    """
    if not value.isprintable():
        addresses.check_text(value, f"the header {name}")
    first = LONGEST_HEADER_LINE - len(name) - 2
    if not value.isascii() or "=?" in value:
        lines = _encoded_words(value, first)
    else:
        lines = _folded(value, first)
    return f"{name}: {_FOLD.join(lines)}\r\n".encode("ascii")


def address_line(name: str, display_name: str, address: str) -> bytes:
    """An address header. Only the display name is ever encoded, never the address (RFC 2047 5)."""
    addresses.check_text(display_name, "the name")
    address = addresses.ascii_domain(address)
    if not display_name:
        return f"{name}: {address}\r\n".encode()
    first = LONGEST_HEADER_LINE - len(name) - 2
    if display_name.isascii() and len(display_name) <= _LONGEST_PLAIN_NAME:
        words = [_phrase(display_name)]
    else:
        words = _encoded_words(display_name, first)
    used = len(words[-1]) + (len(name) + 2 if len(words) == 1 else 1)
    space = " " if used + len(address) + 3 <= LONGEST_HEADER_LINE else _FOLD
    return f"{name}: {_FOLD.join(words)}{space}<{address}>\r\n".encode()


_FOLD = "\r\n "
_LONGEST_PLAIN_NAME = 60
_LONGEST_ENCODED_WORD = 75
"""Characters (RFC 2047 2)."""


def _phrase(name: str) -> str:
    """A name as a phrase (RFC 5322 3.2.5): plain words, or a quoted string."""
    if re.fullmatch(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+", name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _encoded_words(text: str, first: int) -> list[str]:
    """``text`` as encoded words (RFC 2047) of at most 75 characters. No character is split.

    ``first`` is the most characters that the first encoded word may have.
    """
    words: list[str] = []
    room, piece, size = min(first, _LONGEST_ENCODED_WORD), "", 0
    for character in text:
        width = len(character.encode())
        # Base64 makes 4 characters of every 3 bytes, and "=?utf-8?b?" and "?=" take 12.
        if piece and (size + width + 2) // 3 * 4 + 12 > room:
            words.append(piece)
            room, piece, size = _LONGEST_ENCODED_WORD, "", 0
        piece, size = piece + character, size + width
    words.append(piece)
    return [
        f"=?utf-8?b?{binascii.b2a_base64(word.encode(), newline=False).decode()}?="
        for word in words
    ]


def _folded(text: str, first: int) -> list[str]:
    """ASCII ``text`` in lines of at most 78 characters, broken only at spaces. The first line has
    at most ``first`` characters.
    """
    lines: list[str] = []
    line, room = "", first
    for word in text.split(" "):
        # A line of white space only would end the headers for some mail programs.
        if line.strip() and word and len(line) + 1 + len(word) > room:
            lines.append(line)
            line, room = word, LONGEST_HEADER_LINE - 1
        else:
            line = f"{line} {word}" if line else word
    return [*lines, line]


def _text_part(subtype: str, body: str) -> bytes:
    head = (
        f'Content-Type: text/{subtype}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    return head.encode("ascii") + quoted_printable(body)


def quoted_printable(text: str) -> bytes:
    """``text`` in quoted-printable (RFC 2045 6.7), in lines of at most 76 characters and CRLF."""
    lines = text.encode()
    if b"\r" in lines:
        lines = lines.replace(CRLF, b"\n").replace(b"\r", b"\n")
    lines = lines.replace(b"\n", CRLF)
    encoded = binascii.b2a_qp(lines, istext=True)
    # Without a CRLF in the text, binascii breaks long lines with a bare LF.
    return encoded if CRLF in lines else encoded.replace(b"\n", CRLF)


def _attachment_part(attachment: EmailAttachment) -> bytes:
    content_type = attachment.content_type or mimetypes.guess_type(attachment.filename)[0]
    if content_type == "message/rfc822":
        # A message with undeclared 8-bit characters cannot be re-encoded: it is attached as a file.
        with suppress(UnicodeError):
            return _message_part(attachment)
        content_type = None
    return b"".join(
        (
            header_line("Content-Type", content_type or "application/octet-stream"),
            b"Content-Transfer-Encoding: base64\r\n",
            header_line("Content-Disposition", _disposition(attachment.filename)),
            CRLF,
            _base64(attachment.content),
        )
    )


def _image_part(image: EmailAttachment, content_id: str) -> bytes:
    """A file that the HTML shows by its Content-ID (RFC 2392)."""
    return b"".join(
        (
            header_line("Content-Type", image.content_type),
            b"Content-Transfer-Encoding: base64\r\n",
            header_line("Content-ID", f"<{content_id}>"),
            header_line("Content-Disposition", _disposition(image.filename, "inline")),
            CRLF,
            _base64(image.content),
        )
    )


def _message_part(attachment: EmailAttachment) -> bytes:
    """An attached message. It must not be encoded as a whole (RFC 2046 5.2.1), so each of its parts
    that is not ASCII is encoded. Raises ``UnicodeError`` if a part does not name its charset.
    """
    part = EmailMessage(_ATTACHED_POLICY)
    inner = message_from_bytes(attachment.content, policy=_ATTACHED_POLICY)
    part.set_content(inner, cte="7bit", disposition="attachment", filename=attachment.filename)
    del part["MIME-Version"]
    return part.as_bytes()


_ATTACHED_POLICY = policy.SMTP.clone(max_line_length=76, cte_type="7bit")


def _disposition(filename: str, kind: str = "attachment") -> str:
    """The Content-Disposition of a file. A name that is not plain ASCII is encoded (RFC 2231)."""
    if re.fullmatch(r"[A-Za-z0-9._-]{1,60}", filename):
        return f'{kind}; filename="{filename}"'
    return f"{kind}; filename*=utf-8''{quote(filename, safe='')}"


def _base64(content: bytes) -> bytes:
    # 57 bytes become 76 characters, the longest line that RFC 2045 6.8 allows.
    lines = (
        binascii.b2a_base64(content[start : start + 57], newline=False)
        for start in range(0, len(content), 57)
    )
    return CRLF.join(lines)


def _multipart(subtype: str, parts: list[bytes], boundary: bytes) -> bytes:
    delimiter = CRLF + b"--" + boundary
    # The first part of multipart/related is its root, whose type it names (RFC 2387 3.1).
    kind = b'related; type="text/html";\r\n' if subtype == "related" else subtype.encode() + b";"
    head = b'Content-Type: multipart/%s boundary="%s"\r\n' % (kind, boundary)
    return b"".join((head, *(delimiter + CRLF + part for part in parts), delimiter, b"--", CRLF))


def _boundaries(message_id: str) -> Iterator[bytes]:
    """Boundaries derived from the Message-ID. No body can contain one, because neither
    quoted-printable nor base64 can contain ``=_``.
    """
    digest = hashlib.sha256(message_id.encode()).hexdigest()[:24]
    for number in range(3):
        yield f"=_{number}_{digest}".encode("ascii")
