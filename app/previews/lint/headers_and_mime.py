"""A1 to A5 and A13: headers, lines and MIME parts, read from the bytes."""

import re
from collections.abc import Iterator
from email.message import EmailMessage, MIMEPart

from app.mail.addresses import ascii_domain
from app.mail.message import BodyFormat
from app.previews.lint.parsed_email import Finding, ParsedEmail

_REQUIRED_ONCE = ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version")
_FORBIDDEN = {
    "Bcc": ("A2", "tells every reader who else got the email"),
    "Cc": ("A2", "an email has one recipient"),
    "Return-Path": ("A2", "is for the last relay to write (RFC 5321 4.4)"),
    "Precedence": ("A4", "is obsolete; Auto-Submitted says it"),
    "List-Unsubscribe": ("A4", "is for subscriptions, and this email is not one"),
}
_REQUIRED_VALUES = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
_BODIES = {
    BodyFormat.BOTH: ["text/plain", "text/html"],
    BodyFormat.TEXT: ["text/plain"],
    BodyFormat.HTML: ["text/html"],
}


def headers(email: ParsedEmail) -> Iterator[Finding]:
    """A1: the headers that every message has once, and a Message-ID of our own (RFC 5322 3.6)."""
    message = email.message
    for name in _REQUIRED_ONCE:
        count = len(message.get_all(name, []))
        if count != 1:
            yield Finding("A1", f"header {name}", f"is there {count} times", "Write it once")
    date = str(message.get("Date", ""))
    if not date.endswith("+0000"):
        yield Finding("A1", "header Date", f"{date!r} is not in UTC", "End it with +0000")
    domain = ascii_domain(email.expected.sender).rpartition("@")[2]
    if not re.fullmatch(rf"<[^@<>\s]+@{re.escape(domain)}>", str(message.get("Message-ID", ""))):
        yield Finding(
            "A1",
            "header Message-ID",
            f"is not of the form <unique@{domain}>",
            "Make it under the domain of the From address",
        )


def recipients(email: ParsedEmail) -> Iterator[Finding]:
    """A2 and A4: one recipient, a person who reads replies, and no automatic replies."""
    message = email.message
    for name, (rule, why) in _FORBIDDEN.items():
        if name in message:
            yield Finding(rule, f"header {name}", why, "Leave it out")
    to = _addresses(message, "To")
    if to != [ascii_domain(email.expected.to.address)]:
        yield Finding(
            "A2", "header To", f"names {len(to)} addresses or another one", "Name the recipient"
        )
    for name, value in _REQUIRED_VALUES.items():
        if str(message.get(name, "")) != value:
            yield Finding("A4", f"header {name}", "machines may answer", f"Say {value} (RFC 3834)")
    reply_to = "".join(_addresses(message, "Reply-To"))
    if not reply_to or re.match(r"(no|do-?not)[-_.]?reply", reply_to, re.IGNORECASE):
        yield Finding(
            "A4", "header Reply-To", "nobody reads the replies", "Name site.support_email"
        )
    if not message.get("X-Entity-Ref-ID"):
        yield Finding(
            "A4",
            "header X-Entity-Ref-ID",
            "Gmail puts two emails with one subject into one thread",
            "Give each email a value of its own",
        )
    language = email.expected.to.locale.replace("_", "-")
    if str(message.get("Content-Language", "")) != language:
        yield Finding("A16", "header Content-Language", f"is not {language}", f"Say {language}")


def lines(email: ParsedEmail) -> Iterator[Finding]:
    """A2 and A3: what SMTP carries unchanged (RFC 5321 4.5.3.1, RFC 5322 2.1.1, RFC 2047 5)."""
    source = email.source
    if re.search(rb"(?<!\r)\n|\r(?!\n)", source) or not source.endswith(b"\r\n"):
        yield Finding("A2", "source", "a line does not end with CRLF", "End every line with CRLF")
    if b"\x00" in source:
        yield Finding("A2", "source", "holds a NUL", "Refuse it when the email is composed")
    head, _, body = source.partition(b"\r\n\r\n")
    for number, line in enumerate(head.split(b"\r\n"), 1):
        name = line.partition(b":")[0].decode("ascii", "replace")
        place = f"header line {number}, {name[:40].strip()}"
        if len(line) > 78 and b" " in line[line.find(b":") + 2 :].strip():
            yield Finding("A2", place, f"has {len(line)} octets", "Fold it at 78 (RFC 5322 2.1.1)")
        if not line.isascii():
            yield Finding("A3", place, "is not ASCII", "Write encoded words (RFC 2047)")
        if re.search(rb"<[^>]*=\?", line):
            yield Finding("A3", place, "encodes an address", "Encode the name only (RFC 2047 5)")
    for number, line in enumerate(body.split(b"\r\n"), 1):
        if len(line) > 998:
            yield Finding(
                "A2", f"body line {number}", f"has {len(line)} octets", "Encode it: 998 is the most"
            )


def parts(email: ParsedEmail) -> Iterator[Finding]:
    """A5 and A13: the bodies that the recipient has chosen, text before HTML, and attachments."""
    message = email.message
    is_mixed = message.get_content_type() == "multipart/mixed"
    body, *attachments = message.iter_parts() if is_mixed else [message]
    bodies = [body] if _is_page(body) or not body.is_multipart() else list(body.iter_parts())
    images: list[MIMEPart] = []
    for number, part in enumerate(bodies):
        if _is_page(part):
            bodies[number], *images = part.iter_parts()
    yield from _images(email, images)
    types = [part.get_content_type() for part in bodies]
    wanted = _BODIES[email.expected.to.body_format]
    if sorted(types) != sorted(wanted):
        yield Finding(
            "A13", "bodies", f"are {', '.join(types)}", f"Send what was chosen: {', '.join(wanted)}"
        )
    elif types != wanted or (len(types) > 1 and body.get_content_type() != "multipart/alternative"):
        yield Finding(
            "A5",
            "bodies",
            f"are {', '.join(types)} in {body.get_content_type()}",
            "Put the text first and the HTML last in multipart/alternative (RFC 2046 5.1.4)",
        )
    for part in bodies:
        yield from _encoding(part)
    for part in message.walk():
        for defect in part.defects:
            yield Finding(
                "A5", part.get_content_type(), f"{type(defect).__name__}", "Write valid MIME"
            )
    for part in attachments:
        disposition = str(dict(part.raw_items()).get("Content-Disposition", ""))
        if not part.get_filename() or "=?" in disposition or not disposition.isascii():
            yield Finding(
                "A5",
                f"attachment {part.get_content_type()}",
                "has no name, or one that few programs can read",
                "Name it by filename, or by filename* (RFC 2231)",
            )


def _is_page(part: MIMEPart) -> bool:
    """Whether the part is HTML with its images."""
    return part.get_content_type() == "multipart/related" and any(
        inner.get_content_type() == "text/html" for inner in list(part.iter_parts())[:1]
    )


def _images(email: ParsedEmail, images: list[MIMEPart]) -> Iterator[Finding]:
    """The HTML shows each image in ``multipart/related``, and each image that it shows is there."""
    sources = [element.get("src") for element in email.document.all("img")]
    shown = {source.removeprefix("cid:") for source in sources if source.startswith("cid:")}
    sent = {str(image.get("Content-ID", "")).strip("<>") for image in images}
    for missing in sorted(shown - sent):
        yield Finding("A5", f"cid:{missing}", "names no part", "Attach the image to the message")
    for unused in sorted(sent - shown):
        yield Finding("A5", f"Content-ID {unused}", "is shown nowhere", "Leave the image out")


def _encoding(part: MIMEPart) -> Iterator[Finding]:
    place = part.get_content_type()
    if part.get_content_charset() != "utf-8":
        yield Finding("A5", place, f"is in {part.get_content_charset()}", "Write utf-8")
    encoding = str(part.get("Content-Transfer-Encoding", "7bit")).lower()
    if encoding not in ("quoted-printable", "8bit", "7bit"):
        yield Finding("A5", place, f"is in {encoding}", "Write text in quoted-printable")
    if encoding == "quoted-printable":
        longest = max(map(len, str(part.get_payload()).splitlines()), default=0)
        if longest > 76:
            yield Finding(
                "A2", place, f"has a line of {longest} characters", "Break it at 76 (RFC 2045 6.7)"
            )


def _addresses(message: EmailMessage, name: str) -> list[str]:
    header = message.get(name)
    return [address.addr_spec for address in header.addresses] if header is not None else []
