"""A1 to A5 and A13: headers, lines and MIME."""

import base64
import re
from dataclasses import replace

from app.mail import BodyFormat
from app.previews.lint import Expected
from tests.previews.lint.broken import RECEIPT, Email, broken, header, is_found_out, source


def only_text(expected: Expected) -> Expected:
    return replace(expected, to=replace(expected.to, body_format=BodyFormat.TEXT))


def swapped(message: bytes) -> bytes:
    """The message with its two bodies in the wrong order."""
    head, text, html, end = re.split(rb"--=_0_\w+(?:--)?\r\n", message)
    boundary = re.search(rb"--=_0_\w+", message)
    assert boundary
    return b"".join((head, boundary[0], b"\r\n", html, boundary[0], b"\r\n", text, boundary[0])) + (
        b"--\r\n" + end
    )


def in_base64(message: bytes) -> bytes:
    """The message with a text that holds only what the lint asks for."""
    head = message.replace(b"quoted-printable", b"base64").partition(b"\r\n\r\n")[0]
    return head + b"\r\n\r\n" + base64.encodebytes(b"help@shop.example").replace(b"\n", b"\r\n")


def without_end(message: bytes) -> bytes:
    return message.rpartition(b"--=_0_")[0]


def bare_line_end(message: bytes) -> bytes:
    return message.replace(b"see.\r\n", b"see.\n").replace(b"\r\n\r\nWelcome", b"\n\r\nWelcome")


def long_epilogue(message: bytes) -> bytes:
    return message + b"x" * 999 + b"\r\n"


@broken(
    {
        "a header twice": (Email(source=header("MIME-Version: 1.0")), "A1", "is there 2 times"),
        "no Date": (Email(source=source("Date:", "X-Date:")), "A1", "is there 0 times"),
        "local time": (Email(source=source("+0000", "+0100")), "A1", "is not in UTC"),
        "another's Message-ID": (
            Email(source=source("@shop.example>\r\nReply", "@relay.example>\r\nReply")),
            "A1",
            "<unique@shop.example>",
        ),
        "a blind copy": (
            Email(source=header("Bcc: eve@example.org")),
            "A2",
            "who else got the email",
        ),
        "a copy": (Email(source=header("Cc: eve@example.org")), "A2", "one recipient"),
        "a return path": (Email(source=header("Return-Path: <a@example.org>")), "A2", "last relay"),
        "two recipients": (
            Email(source=source("<ada@example.org>", "<ada@example.org>, eve@example.org")),
            "A2",
            "names 2 addresses",
        ),
        "precedence": (Email(source=header("Precedence: bulk")), "A4", "obsolete"),
        "a subscription": (
            Email(source=header("List-Unsubscribe: <https://shop.example/>")),
            "A4",
            "is for subscriptions",
        ),
        "sent by nobody knows what": (
            Email(source=source("Auto-Submitted: auto-generated", "Auto-Submitted: no")),
            "A4",
            "machines may answer",
        ),
        "answers from machines": (
            Email(source=source("Suppress: All", "Suppress: None")),
            "A4",
            "machines may answer",
        ),
        "replies to nobody": (
            Email(source=source("Reply-To: help@", "Reply-To: no-reply@")),
            "A4",
            "nobody reads the replies",
        ),
        "one thread for all": (
            Email(source=source("X-Entity-Ref-ID", "X-Nothing")),
            "A4",
            "into one thread",
        ),
        "another language": (
            Email(source=source("Content-Language: en", "Content-Language: de")),
            "A16",
            "is not en",
        ),
        "a bare line end": (Email(kind="welcome", source=bare_line_end), "A2", "end with CRLF"),
        "a NUL": (Email(source=source("X-Entity-Ref-ID: ", "X-Entity-Ref-ID: \0")), "A2", "a NUL"),
        "a long header": (Email(source=header("X-Note: " + 20 * "word ")), "A2", "has 108 octets"),
        "a header that is not ASCII": (Email(source=header("X-Note: Löwe")), "A3", "is not ASCII"),
        "an encoded address": (
            Email(source=header("Sender: <=?utf-8?q?shop?=@shop.example>")),
            "A3",
            "encodes an address",
        ),
        "a line that SMTP breaks": (Email(source=long_epilogue), "A2", "has 999 octets"),
        "a long quoted-printable line": (
            Email(kind="welcome", source=lambda message: message.replace(b"=\r\n", b"")),
            "A2",
            "has a line of",
        ),
        "HTML before text": (Email(source=swapped), "A5", "are text/html, text/plain"),
        "bodies that are no alternatives": (
            Email(source=source("multipart/alternative", "multipart/related")),
            "A5",
            "in multipart/related",
        ),
        "another character set": (
            Email(kind="password_reset", source=source('charset="utf-8"', 'charset="us-ascii"')),
            "A5",
            "is in us-ascii",
        ),
        "text in base64": (
            Email(kind="welcome", sent_as=BodyFormat.TEXT, source=in_base64),
            "A5",
            "is in base64",
        ),
        "no end": (Email(source=without_end), "A5", "CloseBoundaryNotFoundDefect"),
        "an attachment without a name": (
            Email(attachments=(RECEIPT,), source=source('; filename="receipt.pdf"', "")),
            "A5",
            "has no name",
        ),
        "an attachment with an encoded word": (
            Email(attachments=(RECEIPT,), source=source("receipt.pdf", "=?utf-8?q?receipt?=")),
            "A5",
            "few programs can read",
        ),
        "more bodies than wanted": (
            Email(expected=only_text),
            "A13",
            "are text/plain, text/html",
        ),
    }
)
def test_wrong_headers_and_mime_are_found(email: Email, rule: str, words: str) -> None:
    assert is_found_out(email, rule, words)
