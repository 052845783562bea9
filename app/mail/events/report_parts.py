"""The parts of a report: bytes that anybody may have sent are read and parsed within bounds."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.policy import Compat32
from itertools import count
from typing import Any, BinaryIO

LARGEST = 512 * 1024
"""Octets of a report that are read. What an email server says stands before the returned email,
which is the long part and whose headers suffice.
"""
LONGEST_LINE = 998
"""Octets of a line (RFC 5322 2.1.1)."""
MOST_LINES = 10_000
LONGEST_HEADER = 4000
MOST_PARTS = 100
LONGEST_TEXT = 64 * 1024
_CHUNK = 64 * 1024


class NotReadable(Exception):
    """The bytes cannot be parsed as a message. The text says why and quotes nothing of it."""


def read(stream: BinaryIO) -> bytes:
    """The first ``LARGEST`` octets of a report. The rest is read and forgotten, because a program
    that stops reading would break the pipe of the email server.
    """
    report = stream.read(LARGEST)
    while stream.read(_CHUNK):
        pass
    return report


@contextmanager
def malformed_as_not_readable() -> Iterator[None]:
    """Raise ``NotReadable`` in place of the errors of many kinds that the standard library raises
    when a message is malformed.
    """
    try:
        yield
    except NotReadable:
        raise
    except Exception as error:
        raise NotReadable(type(error).__name__) from error


def parse(report: bytes) -> Message:
    """The message in ``report``. Raises ``NotReadable`` for too many parts.

    The standard library needs time that grows with the square of a header's length, and with the
    product of lines and nested parts. So all of these are bounded.
    """
    parts = count(1)

    def new_message(policy: Any) -> Message:
        if next(parts) > MOST_PARTS:
            raise NotReadable(f"more than {MOST_PARTS} parts")
        return Message(policy=policy)

    lines = [line[:LONGEST_LINE] for line in report[:LARGEST].splitlines()[:MOST_LINES]]
    policy = _Bounded(message_factory=new_message)
    return BytesParser(policy=policy).parsebytes(b"\n".join(lines) + b"\n")


class _Bounded(Compat32):
    """Cuts long headers, and reads octets beyond ASCII in them as UTF-8 (RFC 6532)."""

    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value.encode("ascii", "surrogateescape").decode("utf-8", "replace")


def parts(message: Message) -> Iterator[Message]:
    """The message and its parts, without those of an email that it returns."""
    yield message
    if message.get_content_maintype() == "multipart":
        for part in _children(message):
            yield from parts(part)


def first(message: Message, *content_types: str) -> Message | None:
    """The first part of one of these types."""
    found = (part for part in parts(message) if part.get_content_type() in content_types)
    return next(found, None)


def inner(part: Message) -> Message | None:
    """The message in a part of the type message/*, or the headers in one of text/rfc822-headers."""
    if children := _children(part):
        return children[0]
    return parse(_octets(part)) if part.get_content_maintype() == "text" else None


def blocks(part: Message) -> list[Message]:
    """The groups of fields in a delivery status (RFC 3464 2.1, RFC 6533 4)."""
    children = _children(part)
    if part.get_content_type() != "message/delivery-status" and children:
        # The standard library takes what follows the first group for the body of a message.
        groups = re.split(rb"\n[ \t]*\n", _octets(children[0]))[:MOST_PARTS]
        children = children[:1] + [parse(group.strip()) for group in groups]
    return [block for block in children if block.keys()]


def text_of(message: Message) -> str:
    """The message's first plain text, its lines separated by line feeds, or an empty string."""
    part = first(message, "text/plain")
    if part is None:
        return ""
    octets = _octets(part)[:LONGEST_TEXT]
    try:
        text = octets.decode(part.get_content_charset("utf-8"), "replace")
    except (LookupError, ValueError):
        text = octets.decode("utf-8", "replace")
    return "\n".join(line.rstrip() for line in text.splitlines())


def line_of(message: Message, name: str) -> str:
    """The first header of that name in one line, or an empty string."""
    return " ".join(str(message.get(name, "")).split())


def words_of(message: Message, name: str) -> str:
    """``line_of`` with its encoded words (RFC 2047) decoded."""
    line = line_of(message, name)
    try:
        return str(make_header(decode_header(line)))
    except (ValueError, LookupError, MessageError):
        return line


def _children(message: Message) -> list[Message]:
    payload: Any = message.get_payload()
    return payload if isinstance(payload, list) else []


def _octets(part: Message) -> bytes:
    octets = part.get_payload(decode=True)
    return octets if isinstance(octets, bytes) else b""
